//! `ScanContext`: what of a session scans need, so that one can be planned again while its query runs.

use std::{fmt, sync::Arc};

use datafusion::{
    catalog::Session, common::internal_datafusion_err, config::ConfigOptions, error::Result,
    execution::runtime_env::RuntimeEnv,
};
use hexflight_engine::TableName;

use super::decode_memory::DecodeMemory;
use crate::cache::{Caches, FileBytes};

/// Under which URL the engine's store is known to scans; never seen outside.
pub(crate) const STORE_URL: &str = "hexflight://store/";

/// See the module.
#[derive(Clone)]
pub(crate) struct ScanContext {
    pub(super) env: Arc<RuntimeEnv>,
    pub(super) options: Arc<ConfigOptions>,
    /// Through which files are read.
    caches: Arc<Caches>,
    pub(super) decode_memory: Arc<DecodeMemory>,
}

impl ScanContext {
    /// Of the session that plans a query.
    pub(crate) fn of(state: &dyn Session) -> Self {
        Self {
            env: Arc::clone(state.runtime_env()),
            options: Arc::clone(state.config().options()),
            caches: state.config().get_extension().unwrap_or_default(),
            decode_memory: Arc::default(),
        }
    }

    /// Reads the bytes of a table's files.
    ///
    /// # Errors
    /// `Internal` in a session that was not made for the table.
    pub(super) fn files(&self, table: &TableName) -> Result<&FileBytes> {
        let cache = self.caches.get(table);
        cache.map(|cache| cache.files()).ok_or_else(|| internal_datafusion_err!("no files of table {table}"))
    }

    pub(super) fn partitions_max(&self) -> usize {
        self.options.execution.target_partitions
    }
}

impl fmt::Debug for ScanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanContext").finish_non_exhaustive()
    }
}
