//! `Engine`: the write path put together. Callers append batches and take snapshots; everything else happens behind it.
//!
//! `shared` holds the parts, `start` the tasks; no rule of ingest, memory or storage is decided here. If you add a step to an append, also look at
//! `docs/design.md` (write path).

mod shared;
mod start;
mod append;

use std::{sync::Arc, time::Duration};

use arrow::array::RecordBatch;
use parking_lot::Mutex;
use tokio::{sync::oneshot, task::JoinError};
use tokio_util::sync::DropGuard;

use self::{
    shared::Shared,
    start::{Inboxes, Tasks, begin_stream},
};
use crate::{
    budget::{Budget, RETRY_MS},
    clock::Clock,
    compact::{CompactMessage, CompactSummary},
    error::{BadRow, EngineError, Result},
    finding::Finding,
    flush::FlushMessage,
    import::{Import, SourceId},
    ingest::{OnBadRow, needed_for},
    options::EngineOptions,
    schema::{Sequence, StreamId, TableName, TableSpec},
    store::Store,
    time::{self, timeout, timeout_at},
    upkeep::free_space,
    view::Snapshot,
    wal::{self, Append, Fence, PendingAck, PutEnd},
};

/// How long a shutdown tries to close its stream in a store that refuses.
const FENCE_WAIT: Duration = Duration::from_secs(5);
/// How long a check waits for memory.
const CHECK_WAIT: Duration = Duration::from_secs(1);

/// An append that was taken: what is on its way, and what was left out.
#[derive(Debug)]
pub struct Appended {
    /// The rows on their way; `None` when every row was left out, or there was none.
    pub ack: Option<PendingAck>,
    /// The rows that were left out, in order.
    pub bad_rows: Vec<BadRow>,
}

/// One machine's engine over one store.
#[derive(Debug)]
pub struct Engine {
    shared: Shared,
    inboxes: Mutex<Inboxes>,
    /// Ends compaction and vacuum when the engine is dropped without a shutdown.
    _upkeep: DropGuard,
    tasks: tokio::sync::Mutex<Option<Tasks>>,
}

impl Engine {
    /// Opens the store: loads every table, takes over the streams of dead processes, and starts a new stream.
    /// Returns when every acknowledged row can be queried; flushing what was found goes on behind. On a full disk appends are refused
    /// until there is space again.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes fail a check, `Unavailable` when the store does.
    pub async fn open(store: Store, options: EngineOptions, clock: Arc<dyn Clock>) -> Result<Arc<Self>> {
        Self::open_tables(store, options, clock, vec![TableSpec::events()]).await
    }

    async fn open_tables(
        store: Store,
        options: EngineOptions,
        clock: Arc<dyn Clock>,
        tables: Vec<TableSpec>,
    ) -> Result<Arc<Self>> {
        options.check()?;
        if !options.read_only {
            store.set_reserve(options.reserve_bytes).await?;
        }
        let shared = Shared::open(store, options, &clock, tables).await?;
        shared.recovery().run().await?;
        if shared.options.read_only {
            return Ok(Arc::new(Self::without_tasks(shared)));
        }
        let (stream, is_registered) = begin_stream(&shared).await?;
        // Before the mark is renewed: what it says of the log that was found is the proof that nothing is missing.
        free_space(&shared.store, &shared.tables, &shared.health).await;
        shared.tables.mark_versions().await;
        let upkeep = shared.import.loads.stop();
        let (inboxes, tasks) = Tasks::start(&shared, (stream, is_registered), &upkeep);
        // What was recovered is flushed behind the caller's back.
        shared.signals.full.notify_one();
        Ok(Arc::new(Self {
            shared,
            inboxes: Mutex::new(inboxes),
            _upkeep: upkeep.drop_guard(),
            tasks: tokio::sync::Mutex::new(Some(tasks)),
        }))
    }

    /// An engine that answers queries and does nothing else.
    fn without_tasks(shared: Shared) -> Self {
        let upkeep = shared.import.loads.stop().drop_guard();
        Self { shared, inboxes: Mutex::default(), _upkeep: upkeep, tasks: tokio::sync::Mutex::default() }
    }

    /// The tables.
    #[must_use]
    pub fn tables(&self) -> Vec<Arc<TableSpec>> {
        self.shared.tables.iter().map(|table| Arc::clone(&table.spec)).collect()
    }

    /// Validates a batch and queues it for the next group commit. Waits up to `append_wait` for memory and its turn.
    /// Batches of one caller become durable in the order of their calls.
    ///
    /// **Cancellation**: dropped before it returns, nothing of the batch is kept.
    ///
    /// # Errors
    /// `Invalid` when the batch breaks a rule, `NotFound` for an unknown table, `Exhausted` when memory does not free in
    /// time, `Unavailable` when the WAL cannot be written, `Closed` at shutdown; nothing of the batch is kept then.
    pub async fn append(&self, table: &TableName, batch: &RecordBatch) -> Result<PendingAck> {
        let appended = self.append_with(table, batch, OnBadRow::Refuse).await?;
        appended.ack.ok_or_else(|| EngineError::InvalidBatch("batch has no rows".to_owned()))
    }

    /// As [`Self::append`], with a choice for rows that break a rule. A batch without rows is checked and nothing is written.
    ///
    /// **Cancellation**: as [`Self::append`].
    ///
    /// # Errors
    /// As [`Self::append`]; with [`OnBadRow::Skip`] single rows are no error.
    pub async fn append_with(
        &self,
        table: &TableName,
        batch: &RecordBatch,
        on_bad_row: OnBadRow,
    ) -> Result<Appended> {
        self.append_by(table, batch, on_bad_row, self.shared.admission.deadline()).await
    }

    /// As [`Self::append_with`], for a batch that has waited elsewhere already: it waits until `deadline` at most.
    ///
    /// **Cancellation**: as [`Self::append`].
    ///
    /// # Errors
    /// As [`Self::append_with`].
    pub async fn append_by(
        &self,
        table: &TableName,
        batch: &RecordBatch,
        on_bad_row: OnBadRow,
        deadline: time::Instant,
    ) -> Result<Appended> {
        self.check_writable()?;
        let parts = self.shared.tables.get(table)?;
        let appends = self.inboxes.lock().appends.clone().ok_or(EngineError::Closed)?;
        if let Some(failure) = self.shared.stall.failure() {
            return Err(EngineError::WalStalled { failure });
        }
        let deadline = deadline.min(self.shared.admission.deadline());
        let memory = self.shared.admission.reserve(needed_for(batch)?, deadline).await?;
        let (prepared, bad_rows) = self.prepare(parts, batch, memory, on_bad_row, deadline).await?;
        let Some((rows, memory)) = prepared else { return Ok(Appended { ack: None, bad_rows }) };
        let place = timeout_at(deadline, appends.reserve()).await;
        let place =
            place.map_err(|_| self.delayed("the write-ahead log"))?.map_err(|_| EngineError::Closed)?;
        let (waiter, done) = oneshot::channel();
        place.send(Append { table: table.clone(), rows, memory: Arc::new(memory), waiter: Some(waiter) });
        Ok(Appended { ack: Some(PendingAck { done }), bad_rows })
    }

    fn delayed(&self, step: &'static str) -> EngineError {
        EngineError::Delayed { step, waited: self.shared.admission.append_wait(), retry_ms: RETRY_MS }
    }

    /// Checks a batch against every rule of its table and keeps nothing of it: the rows that [`Self::append`] would refuse it for.
    /// Waits for memory for a second at most: whoever asks has often waited for an append already.
    ///
    /// # Errors
    /// As [`Self::append`]; single rows are no error.
    pub async fn check(&self, table: &TableName, batch: &RecordBatch) -> Result<Vec<BadRow>> {
        let parts = self.shared.tables.get(table)?;
        let deadline = self.shared.admission.deadline().min(time::now() + CHECK_WAIT);
        let memory = self.shared.admission.reserve(needed_for(batch)?, deadline).await?;
        let (_, bad_rows) = self.prepare(parts, batch, memory, OnBadRow::Skip, deadline).await?;
        Ok(bad_rows)
    }

    /// Begins a bulk load into a table.
    ///
    /// # Errors
    /// `NotFound` for an unknown table, `Closed` at shutdown, `Unavailable` when there is no place for scratch files.
    pub async fn begin_import(&self, table: &TableName) -> Result<Import> {
        self.check_writable()?;
        Import::begin(&self.shared.import, table).await
    }

    /// Whether a source was loaded into the table before.
    ///
    /// # Errors
    /// `NotFound` for an unknown table.
    pub fn is_imported(&self, table: &TableName, source: &SourceId) -> Result<bool> {
        let snapshot = self.snapshot(table)?;
        Ok(source.app_ids().any(|app_id| snapshot.table.txn(&app_id).is_some()))
    }

    /// The newest consistent cut of a table: it holds every batch acknowledged before the call.
    ///
    /// # Errors
    /// `NotFound` for an unknown table.
    pub fn snapshot(&self, table: &TableName) -> Result<Arc<Snapshot>> {
        Ok(self.shared.tables.get(table)?.view.snapshot())
    }

    /// Flushes every row that is visible now and returns when all of them are in committed files.
    ///
    /// # Errors
    /// Whatever stopped the flush; the rows stay in memory and in the WAL.
    pub async fn flush(&self) -> Result<()> {
        self.check_writable()?;
        let flushes = self.inboxes.lock().flushes.clone().ok_or(EngineError::Closed)?;
        let (waiter, done) = oneshot::channel();
        flushes.send(FlushMessage::Everything(waiter)).await.map_err(|_| EngineError::Closed)?;
        done.await.unwrap_or(Err(EngineError::Closed))
    }

    /// Merges small files until none is left that should be merged. Changes where rows lie, not which there are.
    ///
    /// **Cancellation**: it goes on behind the caller's back.
    ///
    /// # Errors
    /// Whatever stopped it: `Exhausted` when memory does not free in time, `Corrupt` when a file is not what the log says,
    /// `Unavailable` when the store fails, `Closed` at shutdown. What was merged before stays merged.
    pub async fn compact(&self) -> Result<CompactSummary> {
        self.check_writable()?;
        let compacts = self.inboxes.lock().compacts.clone().ok_or(EngineError::Closed)?;
        let (waiter, done) = oneshot::channel();
        compacts.send(CompactMessage::Everything(waiter)).await.map_err(|_| EngineError::Closed)?;
        done.await.unwrap_or(Err(EngineError::Closed))
    }

    /// Deletes files that were merged into others longer than `vacuum_after` ago and that no snapshot names. Returns how many.
    ///
    /// # Errors
    /// `Unavailable` when the store fails; the rest is deleted later.
    pub async fn vacuum(&self) -> Result<usize> {
        self.check_writable()?;
        self.shared.vacuum.delete_due().await
    }

    /// Refuses the appends that wait for memory, and those that would have to from now on. The first step of a shutdown.
    pub fn refuse_waiting(&self) {
        self.shared.admission.budget.refuse_waiting();
    }

    /// Refuses further appends, waits for those under way, ends loads, flushes, and closes the stream. A second call does nothing.
    ///
    /// # Errors
    /// Whatever stopped the flush; the WAL keeps the rows for the next start.
    pub async fn shutdown(&self) -> Result<()> {
        let Some(tasks) = self.tasks.lock().await.take() else { return Ok(()) };
        self.refuse_waiting();
        drop(self.inboxes.lock().appends.take());
        tasks.orphans.abort();
        drop(self.inboxes.lock().compacts.take());
        self.shared.import.loads.end().await;
        for task in [tasks.compactor, tasks.vacuum] {
            if let Err(error) = task.await {
                tracing::error!(%error, "a background task had stopped");
            }
        }
        let joined = |task| move |error: JoinError| EngineError::Task { task, detail: error.to_string() };
        let written = tasks.writer.await.map_err(joined("wal writer"))?;
        if let Ok((stream, next)) = written {
            self.end_own_stream(stream, next).await?;
        }
        // Also after a log that could not be written: on a full disk a flush makes the space that the next start needs.
        let flushed = self.flush().await;
        drop(self.inboxes.lock().flushes.take());
        tasks.flusher.await.map_err(joined("flusher"))??;
        written.and(flushed)
    }

    async fn end_own_stream(&self, stream: StreamId, next: Sequence) -> Result<()> {
        let store = self.shared.store.with_reserve();
        match timeout(FENCE_WAIT, wal::put_fence_if_space(&store, stream, next)).await {
            Ok(end) => match end? {
                // Somebody else has ended it.
                Some(PutEnd::Fenced) => {}
                end => self.shared.streams.end(
                    &self.shared.tables,
                    stream,
                    Fence { sequence: next, is_put: end.is_some() },
                ),
            },
            // The next start puts the fence; the rows can still be flushed if only the WAL's folder is at fault.
            Err(_) => tracing::warn!(%stream, "cannot close the stream; the next start will"),
        }
        Ok(())
    }

    fn check_writable(&self) -> Result<()> {
        if self.shared.options.read_only { Err(EngineError::ReadOnly) } else { Ok(()) }
    }

    /// The memory budget shared by ingest and queries.
    #[must_use]
    pub fn budget(&self) -> &Arc<Budget> {
        &self.shared.admission.budget
    }

    /// The store, for reading a snapshot's files.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// What the start found amiss and went on in spite of.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        self.shared.health.findings()
    }

    /// `Err` with the reason when the process should not take more work.
    ///
    /// # Errors
    /// The failure, as text for a health check.
    pub fn health(&self) -> std::result::Result<(), String> {
        self.shared.health.failure().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod two_tables_tests;
