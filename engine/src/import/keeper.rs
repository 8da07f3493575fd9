//! The keeper waits until a load has ended, in whichever way, and for all that still runs in it; then it deletes what no commit
//! names. So nothing outlives a load: not a task, not a file, not a byte of memory.

use std::sync::{Arc, atomic::Ordering};

use super::load::Load;
use crate::{
    delta::DataFile,
    error::{EngineError, Result},
    file::NewFile,
};

impl Load {
    /// Runs until the load has ended, then clears up.
    pub(super) async fn keep(self: Arc<Self>) {
        self.stop.cancelled().await;
        self.tasks.close();
        self.tasks.wait().await;
        drop(self.scratch.lock().take());
        let put = {
            let mut state = self.state.lock();
            // Their memory is given back.
            drop(state.partitions.take_all());
            drop(state.small.take());
            std::mem::take(&mut state.put)
        };
        if self.may_be_committed.load(Ordering::SeqCst) {
            return;
        }
        if let Ok(table) = self.table() {
            put.discard(&table.log).await;
        }
    }

    /// A file is about to be put.
    pub(super) fn begin_file(&self, file: &NewFile) {
        self.state.lock().put.begin(file.locations());
    }

    /// A file was put.
    pub(super) fn end_file(&self, file: DataFile) {
        self.state.lock().files.push(file);
    }

    /// Gives the load up with an error.
    pub(super) fn fail(&self, error: &EngineError) {
        let mut state = self.state.lock();
        if !self.stop.is_cancelled() {
            state.failure = Some((error.kind(), error.to_string()));
            self.stop.cancel();
        }
    }

    /// Why the load was stopped.
    pub(super) fn failure(&self) -> EngineError {
        self.state.lock().failure()
    }

    /// `Err` once the load was stopped.
    pub(super) fn check(&self) -> Result<()> {
        if self.stop.is_cancelled() { Err(self.failure()) } else { Ok(()) }
    }
}
