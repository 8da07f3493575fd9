//! `Table`: one table's parts, and the only way to change what it consists of.

use std::sync::Arc;

use object_store::path::Path;

use crate::{
    delta::{Change, DeltaLog, TableState, commit},
    error::Result,
    ingest::Normaliser,
    schema::{Sequence, StreamId, TableSpec},
    view::TableView,
};

/// See the module.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) spec: Arc<TableSpec>,
    pub(crate) normaliser: Arc<Normaliser>,
    pub(crate) log: DeltaLog,
    pub(crate) view: TableView,
    committing: tokio::sync::Mutex<()>,
}

impl Table {
    pub(super) fn new(
        spec: Arc<TableSpec>,
        normaliser: Arc<Normaliser>,
        log: DeltaLog,
        state: TableState,
    ) -> Self {
        let view = TableView::new(Arc::clone(&spec), Arc::new(state));
        Self { spec, normaliser, log, view, committing: tokio::sync::Mutex::default() }
    }

    /// The last sequence of a stream whose rows are in files.
    pub(crate) fn flushed(&self, stream: StreamId) -> Sequence {
        self.view.snapshot().table.flushed(stream)
    }

    /// Commits a change and shows it to queries.
    ///
    /// Commit and view move together, one change at a time: without that, a flush that took its version before a load did could
    /// reach the view after it, and take the load's files from it again. The change starts from the newest state of the view,
    /// which another may have moved since the caller looked; whether that matters is checked by the commit.
    ///
    /// **Cancellation**: the version may be there and the view not know it, until the next change.
    ///
    /// # Errors
    /// As [`commit`]. The view has then learnt what others have committed, and whether this change landed after all.
    pub(crate) async fn commit(&self, change: &Change<'_>) -> Result<Arc<TableState>> {
        let _turn = self.committing.lock().await;
        let state = Arc::clone(&self.view.snapshot().table);
        // A version is small, and often what space becomes free after.
        match commit(&self.log.with_reserve(), &state, change).await {
            Ok(newest) => Ok(self.show(&state, newest)),
            Err(error) => {
                if let Ok(newest) = self.log.refresh(&state).await {
                    self.show(&state, newest);
                }
                Err(error)
            }
        }
    }

    /// Shows a state to queries if it is newer than the one that they have.
    fn show(&self, shown: &TableState, newest: TableState) -> Arc<TableState> {
        let newest = Arc::new(newest);
        if newest.version() > shown.version() {
            self.view.advance(Arc::clone(&newest));
        }
        newest
    }

    /// Removed files were deleted: nobody needs to remember them.
    pub(crate) async fn forget_removed(&self, deleted: &[Path]) {
        let _turn = self.committing.lock().await;
        let state = self.view.snapshot().table.without_removed(deleted);
        self.view.forget_removed(Arc::new(state));
    }
}
