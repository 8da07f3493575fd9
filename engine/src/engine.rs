//! `Engine`: the write path put together. Callers append batches and take snapshots; everything else happens behind it.

use std::{sync::Arc, time::Duration};

use arrow::array::RecordBatch;

use crate::{
    budget::Budget,
    clock::Clock,
    error::Result,
    schema::{Sequence, StreamId, TableName, TableSpec},
    store::Store,
    view::Snapshot,
};

/// Settings of an engine; `EngineOptions::default()` is what `hexflight serve` uses.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Limit on ingest buffers, generations, flushes and queries together. **Units**: bytes.
    pub memory_limit_bytes: usize,
    /// Rows at which the active generation is sealed.
    pub generation_rows_max: usize,
    /// Bytes at which the active generation is sealed.
    pub generation_bytes_max: usize,
    /// Age at which the active generation is sealed and flushed.
    pub flush_interval: Duration,
    /// Group commits being written at once.
    pub wal_puts_max: usize,
    /// Bytes at which a group commit is closed.
    pub wal_commit_bytes_max: usize,
    /// How far in the future an event may lie.
    pub max_future: Duration,
    /// How long an append waits for memory before it is refused.
    pub append_wait: Duration,
}

/// A durable, visible batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The table.
    pub table: TableName,
    /// Rows of the batch.
    pub rows: usize,
    /// The stream that holds it.
    pub stream: StreamId,
    /// The group commit that holds it.
    pub sequence: Sequence,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            memory_limit_bytes: 2 << 30,
            generation_rows_max: 1 << 20,
            generation_bytes_max: 256 << 20,
            flush_interval: Duration::from_secs(10),
            wal_puts_max: 4,
            wal_commit_bytes_max: 16 << 20,
            max_future: Duration::from_hours(1),
            append_wait: Duration::from_secs(10),
        }
    }
}

/// An append that is not yet durable; resolves when it is durable and visible.
#[derive(Debug)]
pub struct PendingAck {
    pub(crate) done: tokio::sync::oneshot::Receiver<Result<Ack>>,
}

impl PendingAck {
    /// Waits until the batch is durable and visible.
    ///
    /// **Cancellation**: dropping the future does not undo the append; the batch may still become durable.
    ///
    /// # Errors
    /// `Unavailable` when the batch could not be made durable, `Closed` at shutdown.
    pub async fn wait(self) -> Result<Ack> {
        self.done.await.unwrap_or(Err(crate::EngineError::Closed))
    }
}

/// One machine's engine over one store.
#[derive(Debug)]
pub struct Engine {
    _inner: (),
}

impl Engine {
    /// Opens the store: loads every table, takes over the streams of dead processes, and starts a new stream.
    /// Returns when every acknowledged row can be queried; flushing what was found goes on behind.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes fail a check, `Unavailable` when the store does.
    pub async fn open(store: Store, options: EngineOptions, clock: Arc<dyn Clock>) -> Result<Arc<Self>> {
        unimplemented!()
    }

    /// Names of the tables.
    #[must_use]
    pub fn tables(&self) -> Vec<Arc<TableSpec>> {
        unimplemented!()
    }

    /// Validates a batch and queues it for the next group commit. Waits for memory up to `append_wait`.
    /// Batches of one caller become durable in the order of their calls.
    ///
    /// # Errors
    /// `Invalid` when the batch breaks a rule, `NotFound` for an unknown table, `Exhausted` when memory does not free in
    /// time, `Closed` at shutdown; nothing of the batch is kept then.
    pub async fn append(&self, table: &TableName, batch: &RecordBatch) -> Result<PendingAck> {
        unimplemented!()
    }

    /// The newest consistent cut of a table: it holds every batch acknowledged before the call.
    ///
    /// # Errors
    /// `NotFound` for an unknown table.
    pub fn snapshot(&self, table: &TableName) -> Result<Arc<Snapshot>> {
        unimplemented!()
    }

    /// Seals what is in memory and returns when all of it is in committed files.
    ///
    /// # Errors
    /// Whatever stopped the flush; the rows stay in memory and in the WAL.
    pub async fn flush(&self) -> Result<()> {
        unimplemented!()
    }

    /// Refuses further appends, flushes, closes the stream. Idempotent.
    ///
    /// # Errors
    /// Whatever stopped the flush; the WAL keeps the rows for the next start.
    pub async fn shutdown(&self) -> Result<()> {
        unimplemented!()
    }

    /// The memory budget shared by ingest and queries.
    #[must_use]
    pub fn budget(&self) -> &Arc<Budget> {
        unimplemented!()
    }

    /// The store, for reading a snapshot's files.
    #[must_use]
    pub fn store(&self) -> &Store {
        unimplemented!()
    }

    /// `Err` with the reason when a background task has failed and the process should not take more work.
    ///
    /// # Errors
    /// The failure, as text for a health check.
    pub fn health(&self) -> std::result::Result<(), String> {
        unimplemented!()
    }
}
