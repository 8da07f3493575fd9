//! `ScanContext`: what of a session scans need, so that one can be planned again while its query runs.

use std::{fmt, sync::Arc};

use datafusion::{catalog::Session, config::ConfigOptions, execution::runtime_env::RuntimeEnv};

/// See the module.
#[derive(Clone)]
pub(crate) struct ScanContext {
    pub(super) env: Arc<RuntimeEnv>,
    pub(super) options: Arc<ConfigOptions>,
}

impl ScanContext {
    /// Of the session that plans a query.
    pub(crate) fn of(state: &dyn Session) -> Self {
        Self { env: Arc::clone(state.runtime_env()), options: Arc::clone(state.config().options()) }
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
