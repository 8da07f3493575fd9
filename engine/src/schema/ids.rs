//! Newtypes of the names and numbers that are persisted: tables, streams, sequences.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{Ids, SystemIds};

/// Name of a table, for example `events`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct TableName(Arc<str>);

impl TableName {
    /// Makes a name from text that is already known to be one.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for TableName {
    fn from(name: String) -> Self {
        Self(Arc::from(name))
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One start of one process: the owner of a WAL. A `UUIDv7`, so that streams sort by their start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(Uuid);

impl StreamId {
    /// Makes a new, never used id.
    #[must_use]
    pub fn new(ids: &dyn Ids) -> Self {
        Self(ids.timed())
    }

    /// One of the machine's, for tests.
    #[must_use]
    #[doc(hidden)]
    pub fn generate() -> Self {
        Self::new(&SystemIds)
    }

    /// Reads the hyphenated form; `None` if it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::parse_str(text).ok().map(Self)
    }

    /// Whether the id can be one that [`Self::generate`] made; other writers use random ones.
    pub(crate) fn is_generated(self) -> bool {
        self.0.get_version_num() == 7
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.hyphenated())
    }
}

/// Number of a group commit within its stream; the first is 1, 0 means "none yet".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The sequence before the first commit.
    pub const NONE: Self = Self(0);

    /// The sequence after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The sequence before this one; none comes before [`Self::NONE`].
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
