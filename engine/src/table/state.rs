//! `TableState`: the file list and txn map of one Delta version, held in memory and advanced commit by commit.

use std::{collections::HashMap, sync::Arc};

use super::DataFile;

/// The table at one Delta version.
#[derive(Debug, Clone, Default)]
pub struct TableState {
    pub(crate) version: i64,
    pub(crate) files: Vec<Arc<DataFile>>,
    pub(crate) txns: HashMap<String, i64>,
}

impl TableState {
    /// The Delta version.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Active files in order of their commits.
    #[must_use]
    pub fn files(&self) -> &[Arc<DataFile>] {
        &self.files
    }

    /// Last version that an application committed: for a stream, the last sequence whose rows are in files.
    #[must_use]
    pub fn txn(&self, app_id: &str) -> Option<i64> {
        self.txns.get(app_id).copied()
    }
}
