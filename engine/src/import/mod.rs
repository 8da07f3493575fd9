//! Bulk loads: any number of rows, in any order, become sorted files and one Delta commit, without the WAL and in bounded memory.
//!
//! ```text
//!  push ─▶ normalise ─▶ spread over time buckets ─▶ spill (scratch files) ─▶ commit: per bucket read back, sort, encode ─▶ one Delta version
//! ```
//! Nothing is visible before the commit. Each source is named in it by its content and the recipe that made rows of it, so that a file
//! loads once in one way.

mod source;
mod width;
mod part;
mod memory;
mod loads;
mod load;
mod small;
mod spread;
mod partitions;
mod scratch;
mod spill;
mod plan;
mod output;
mod commit;
mod keeper;

use std::sync::Arc;

use arrow::array::RecordBatch;
use tokio::sync::Semaphore;

use crate::{
    budget::Admission,
    error::{BadRow, EngineError, Result},
    ingest::OnBadRow,
    schema::TableName,
    store::Store,
    tables::Tables,
};

use load::Load;
pub(crate) use loads::Loads;
pub use source::{ContentHash, OnLoaded, SourceId};

/// How far a load is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportProgress {
    /// Rows taken.
    pub rows: u64,
    /// Bytes written to scratch files so far.
    pub spilled_bytes: u64,
    /// Rows that lie in finished data files.
    pub rows_written: u64,
    /// Finished data files.
    pub files: usize,
}

/// A load that was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportSummary {
    /// Rows loaded.
    pub rows: u64,
    /// Data files made.
    pub files: usize,
    /// Size of the data files. **Units**: bytes.
    pub bytes: u64,
    /// The Delta version that holds them.
    pub version: i64,
}

/// A bulk load under way. Dropped without a commit, it leaves nothing behind.
#[derive(Debug)]
pub struct Import {
    load: Arc<Load>,
}

/// What loads work on.
#[derive(Debug)]
pub(crate) struct ImportParts {
    pub(crate) store: Store,
    pub(crate) tables: Arc<Tables>,
    pub(crate) admission: Arc<Admission>,
    /// Large batches normalised at once, of all that come: more than cores only wait for each other.
    pub(crate) normalising: Arc<Semaphore>,
    pub(crate) loads: Arc<Loads>,
}

impl Import {
    /// Begins a load into a table.
    ///
    /// # Errors
    /// `NotFound` for an unknown table, `Closed` at shutdown, `Unavailable` when there is no place for scratch files.
    pub(crate) async fn begin(parts: &ImportParts, table: &TableName) -> Result<Self> {
        Ok(Self { load: Load::begin(parts, table).await? })
    }

    /// Takes a batch: validates it by the rules of [`Engine::append`](crate::Engine::append), and spreads it over time buckets. May be called from
    /// several tasks at once; waits for memory. Returns the rows that were left out, numbered within the batch.
    ///
    /// **Cancellation**: whether the batch is part of the load is then unknown; drop the load.
    ///
    /// # Errors
    /// `Invalid` when the batch breaks a rule, `Exhausted` when memory does not free in time, `Unavailable` when the disk
    /// refuses; after the latter two the load can only be dropped.
    pub async fn push(&self, batch: RecordBatch, on_bad_row: OnBadRow) -> Result<Vec<BadRow>> {
        self.load.push(batch, on_bad_row).await
    }

    /// How far the load is.
    #[must_use]
    pub fn progress(&self) -> ImportProgress {
        self.load.progress()
    }

    /// Sorts and writes what was pushed and makes it visible in one Delta version that also names every source. A load without rows
    /// leaves no trace: its sources can be loaded later.
    ///
    /// **Cancellation**: dropped before the last step nothing is loaded; in it, the outcome is unknown.
    ///
    /// # Errors
    /// `Conflict` when one of `sources` was loaded before and must not be again; nothing is loaded then. `Unavailable` when the store
    /// fails.
    pub async fn commit(self, sources: &[SourceId], on_loaded: OnLoaded) -> Result<ImportSummary> {
        let load = Arc::clone(&self.load);
        // A task of its own: version and view move together, whoever waits for it.
        let committed = self.load.tasks.spawn(load.commit(sources.to_vec(), on_loaded)).await;
        committed.map_err(|error| EngineError::Task { task: "import", detail: error.to_string() })?
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        // The keeper clears up, unless the load is committed.
        self.load.stop.cancel();
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make files")]
mod import_tests;
