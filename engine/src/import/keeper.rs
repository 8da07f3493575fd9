//! The keeper waits until a load has ended, in whichever way, and for all that still runs in it; then it deletes what no commit
//! names. So nothing outlives a load: not a task, not a file, not a byte of memory.

use std::sync::{Arc, atomic::Ordering};

use object_store::path::Path;

use super::load::{Load, lock};
use crate::{
    error::{EngineError, Result},
    table::DataFile,
};

impl Load {
    /// Runs until the load has ended, then clears up.
    pub(super) async fn keep(self: Arc<Self>) {
        self.stop.cancelled().await;
        self.tasks.close();
        self.tasks.wait().await;
        drop(lock(&self.scratch).take());
        let locations = {
            let mut state = lock(&self.state);
            // Their memory is given back.
            drop(state.partitions.take_all());
            drop(state.small.take());
            std::mem::take(&mut state.locations)
        };
        if self.may_be_committed.load(Ordering::SeqCst) {
            return;
        }
        for location in locations {
            if let Err(error) = self.core.store.delete(&location).await {
                tracing::warn!(%error, "a file of a load that was given up stays until it is an orphan");
            }
        }
    }

    /// An object is about to be put.
    pub(super) fn begin_file(&self, location: &Path) {
        lock(&self.state).locations.push(location.clone());
    }

    /// A file was put.
    pub(super) fn end_file(&self, file: DataFile) {
        lock(&self.state).files.push(file);
    }

    /// Gives the load up with an error.
    pub(super) fn fail(&self, error: &EngineError) {
        let mut state = lock(&self.state);
        if !self.stop.is_cancelled() {
            state.failure = Some((error.kind(), error.to_string()));
            self.stop.cancel();
        }
    }

    /// Why the load was stopped.
    pub(super) fn failure(&self) -> EngineError {
        lock(&self.state).failure()
    }

    /// `Err` once the load was stopped.
    pub(super) fn check(&self) -> Result<()> {
        if self.stop.is_cancelled() { Err(self.failure()) } else { Ok(()) }
    }
}
