//! `Attempt`: the files of one change that is not committed yet. They are named before they are put, so that whatever becomes of the put
//! they are found when the change is given up.

use object_store::path::Path;

use crate::delta::DeltaLog;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Attempt {
    locations: Vec<Path>,
}

impl Attempt {
    /// Files are about to be put.
    pub(crate) fn begin<'a>(&mut self, locations: impl Iterator<Item = &'a Path>) {
        self.locations.extend(locations.cloned());
    }

    /// Deletes what was put. Only a missed clean-up where that fails.
    pub(crate) async fn discard(&self, log: &DeltaLog) {
        for location in &self.locations {
            if let Err(error) = log.store.delete(location).await {
                tracing::warn!(%error, "a file of a change that was given up stays until it is an orphan");
            }
        }
    }
}
