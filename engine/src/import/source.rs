//! `SourceId`: what makes a load idempotent, and the name of the Delta `txn` that records it.

use std::{fmt, str::FromStr};

use crate::{
    delta::LoadedSource,
    error::{EngineError, Result},
};

/// BLAKE3 hash of bytes. Its text is 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(pub [u8; 32]);

/// A source of rows: its bytes, and how they become rows. The same bytes read by another recipe are another source. Its text is the
/// content's, followed by a colon and the recipe's if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId {
    /// Hash of the bytes.
    pub content: ContentHash,
    /// Hash of what decides which rows the bytes become; none where the content alone says it.
    pub recipe: Option<ContentHash>,
}

/// What a commit does about a source that was loaded before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLoaded {
    /// It refuses the load.
    Refuse,
    /// It loads the rows once more.
    LoadAgain,
}

impl SourceId {
    /// A source that its bytes alone identify.
    #[must_use]
    pub fn of_content(content: ContentHash) -> Self {
        Self { content, recipe: None }
    }

    /// Application id of the Delta `txn` that records the load.
    pub(crate) fn app_id(&self) -> String {
        format!("import:{self}")
    }

    /// Application ids that say of this source that it was loaded. Earlier builds recorded the bytes alone, whatever the recipe.
    pub(crate) fn app_ids(&self) -> impl Iterator<Item = String> {
        let earlier = self.recipe.map(|_| Self::of_content(self.content).app_id());
        std::iter::once(self.app_id()).chain(earlier)
    }

    /// What a commit says about it.
    pub(crate) fn loaded(&self, on_loaded: OnLoaded) -> LoadedSource {
        let refused_by = match on_loaded {
            OnLoaded::Refuse => self.app_ids().collect(),
            OnLoaded::LoadAgain => Vec::new(),
        };
        LoadedSource { app_id: self.app_id(), refused_by }
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for ContentHash {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = || EngineError::InvalidOption(format!("content hash '{text}': not 64 hex digits"));
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refuse());
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(index * 2..index * 2 + 2).ok_or_else(refuse)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| refuse())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.content)?;
        self.recipe.map_or(Ok(()), |recipe| write!(f, ":{recipe}"))
    }
}

impl FromStr for SourceId {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            None => Ok(Self::of_content(text.parse()?)),
            Some((content, recipe)) => Ok(Self { content: content.parse()?, recipe: Some(recipe.parse()?) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_read_as_it_is_written() {
        let content = ContentHash([0xab; 32]);
        for source in
            [SourceId::of_content(content), SourceId { content, recipe: Some(ContentHash([0x0c; 32])) }]
        {
            assert_eq!(source.to_string().parse::<SourceId>().unwrap(), source);
        }
        let digits = "ab".repeat(32);
        for text in
            ["", "ab", &format!("{digits}:"), &format!("{digits}:{digits}:{digits}"), &"+1".repeat(32)]
        {
            assert!(text.parse::<SourceId>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_bytes_alone_count_for_every_recipe() {
        let source = SourceId { content: ContentHash([1; 32]), recipe: Some(ContentHash([2; 32])) };
        let (content, recipe) = ("01".repeat(32), "02".repeat(32));
        let ids: Vec<String> = source.app_ids().collect();
        assert_eq!(ids, [format!("import:{content}:{recipe}"), format!("import:{content}")]);
        assert_eq!(source.loaded(OnLoaded::LoadAgain).refused_by, Vec::<String>::new());
    }
}
