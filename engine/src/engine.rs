//! `Engine`: the write path put together. Callers append batches and take snapshots; everything else happens behind it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use arrow::array::RecordBatch;
use futures::FutureExt;
use metrics::histogram;
use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinError, JoinHandle},
    time::{timeout, timeout_at},
};
use tokio_util::sync::DropGuard;

use crate::{
    budget::{Budget, RETRY_MS, Reservation},
    clock::Clock,
    compact::{self, CompactMessage, CompactSummary},
    core::{Core, Table, memory_of, needed_for},
    error::{BadRow, EngineError, Result},
    finding::Finding,
    flush::{self, FlushMessage},
    ingest::to_query,
    memory::MemoryBatch,
    schema::{Sequence, StreamId, TableName, TableSpec},
    store::Store,
    vacuum,
    view::Snapshot,
    wal::{self, Append, Fence, Publisher, PutEnd, WalWriter, WriterEnd},
};

/// The least memory the engine runs in. **Units**: bytes.
const MEMORY_LIMIT_MIN: usize = 64 << 20;
/// Appends queued for the WAL, on top of the commits in flight; their memory is in the budget already.
const APPEND_QUEUE: usize = 256;
/// How long a shutdown tries to close its stream in a store that refuses.
const FENCE_WAIT: Duration = Duration::from_secs(5);
/// How long a check waits for memory.
const CHECK_WAIT: Duration = Duration::from_secs(1);
/// Flush requests queued.
const FLUSH_QUEUE: usize = 16;
/// Compaction requests queued.
const COMPACT_QUEUE: usize = 16;
/// Rows up to which a batch is normalised where it arrives: about 0.1 ms.
const INLINE_ROWS_MAX: usize = 1_024;

/// Settings of an engine; `EngineOptions::default()` is what `hexflight serve` uses.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Limit on ingest buffers, generations, flushes and queries together. **Units**: bytes.
    pub memory_limit_bytes: usize,
    /// Rows at which the active generation is sealed.
    pub generation_rows_max: usize,
    /// Bytes at which the active generation is sealed.
    pub generation_bytes_max: usize,
    /// Rows that one commit of a flush takes at most, unless a single generation holds more: small generations share files, large ones
    /// are written one by one, so that memory is freed early and little is sorted twice. Nor does it take more than
    /// `generation_bytes_max`.
    pub flush_rows_max: usize,
    /// Age at which the active generation is sealed and flushed.
    pub flush_interval: Duration,
    /// Group commits being written at once.
    pub wal_puts_max: usize,
    /// Bytes at which a group commit is closed.
    pub wal_commit_bytes_max: usize,
    /// How far in the future an event may lie.
    pub max_future: Duration,
    /// How long an append waits for memory, a core and a place in the write-ahead log before it is refused.
    pub append_wait: Duration,
    /// Whether small files are merged in the background; [`Engine::compact`] merges them in any case.
    pub compact: bool,
    /// Bytes that merging reads and writes per second in the background, over time.
    pub compact_bytes_per_second: u64,
    /// Rows from which a time bucket is divided by time; at most so many are merged at once.
    pub compact_split_rows: usize,
    /// Bytes of files that are merged at once, at most: the size of a large file.
    pub compact_file_bytes: u64,
    /// How long files that were merged into others stay, for readers of older versions.
    pub vacuum_after: Duration,
    /// Disk space kept free for flushes, so that they go on when the write-ahead log has filled the disk; `None`: 128 MiB, or a 16th
    /// of the file system if that is less. Only where the store is a local directory. **Units**: bytes.
    pub reserve_bytes: Option<u64>,
    /// Whether only to read: what is stored is looked at and nothing is changed. Nothing can be appended, loaded, flushed or merged.
    pub read_only: bool,
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

impl EngineOptions {
    fn check(&self) -> Result<()> {
        let refuse = |text: &str| Err(EngineError::InvalidOption(text.to_owned()));
        if self.memory_limit_bytes < MEMORY_LIMIT_MIN {
            return refuse(&format!(
                "memory limit: {} bytes is less than {MEMORY_LIMIT_MIN}, the least the engine runs in",
                self.memory_limit_bytes
            ));
        }
        if self.generation_rows_max == 0 || self.generation_bytes_max == 0 {
            return refuse("generation rows and bytes: 0 is less than 1");
        }
        if self.wal_puts_max == 0 || self.wal_commit_bytes_max == 0 {
            return refuse("WAL puts and commit bytes: 0 is less than 1");
        }
        if self.flush_interval.is_zero() {
            return refuse("flush interval: 0 is not a positive duration");
        }
        if self.compact_bytes_per_second == 0 || self.compact_split_rows == 0 || self.compact_file_bytes == 0
        {
            return refuse("bytes and rows of compaction: 0 is less than 1");
        }
        Ok(())
    }
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            memory_limit_bytes: 2 << 30,
            generation_rows_max: 1 << 20,
            generation_bytes_max: 256 << 20,
            flush_rows_max: 1 << 20,
            flush_interval: Duration::from_mins(1),
            wal_puts_max: 4,
            wal_commit_bytes_max: 16 << 20,
            max_future: Duration::from_hours(1),
            append_wait: Duration::from_secs(10),
            compact: true,
            compact_bytes_per_second: 64 << 20,
            compact_split_rows: 4 << 20,
            compact_file_bytes: 128 << 20,
            vacuum_after: Duration::from_hours(24),
            reserve_bytes: None,
            read_only: false,
        }
    }
}

/// An append that is not yet durable; resolves when it is durable and visible.
#[derive(Debug)]
pub struct PendingAck {
    pub(crate) done: oneshot::Receiver<Result<Ack>>,
}

impl PendingAck {
    /// Waits until the batch is durable and visible.
    ///
    /// **Cancellation**: dropping the future does not undo the append; the batch may still become durable.
    ///
    /// # Errors
    /// `Unavailable` when the batch could not be made durable, `Closed` at shutdown.
    pub async fn wait(self) -> Result<Ack> {
        self.done.await.unwrap_or(Err(EngineError::Closed))
    }
}

/// What happens to a batch in which single rows break a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBadRow {
    /// Nothing of the batch is kept.
    Refuse,
    /// The other rows are kept.
    Skip,
}

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
    pub(crate) core: Arc<Core>,
    appends: Mutex<Option<mpsc::Sender<Append>>>,
    flushes: Mutex<Option<mpsc::Sender<FlushMessage>>>,
    compacts: Mutex<Option<mpsc::Sender<CompactMessage>>>,
    /// Ends compaction and vacuum when the engine is dropped without a shutdown.
    _upkeep: DropGuard,
    tasks: tokio::sync::Mutex<Option<Tasks>>,
}

#[derive(Debug)]
struct Tasks {
    writer: JoinHandle<WriterEnd>,
    flusher: JoinHandle<Result<()>>,
    orphans: JoinHandle<()>,
    compactor: JoinHandle<()>,
    vacuum: JoinHandle<()>,
}

impl Engine {
    /// Opens the store: loads every table, takes over the streams of dead processes, and starts a new stream.
    /// Returns when every acknowledged row can be queried; flushing what was found goes on behind. On a full disk appends are refused
    /// until there is space again.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes fail a check, `Unavailable` when the store does.
    pub async fn open(store: Store, options: EngineOptions, clock: Arc<dyn Clock>) -> Result<Arc<Self>> {
        options.check()?;
        if !options.read_only {
            store.set_reserve(options.reserve_bytes).await?;
        }
        let core = Arc::new(Core::open(store, options, clock).await?);
        core.recover().await?;
        if core.options.read_only {
            return Ok(Arc::new(Self::without_tasks(core)));
        }
        let stream = StreamId::generate();
        let registered = wal::registry::register(&core.store.with_reserve(), stream).await;
        let is_registered = match registered {
            Err(error) if error.is_storage_full() => {
                tracing::error!(%error, "the disk is full: events are refused until there is space again");
                core.stall.raise(error.to_string());
                false
            }
            registered => registered.map(|()| true)?,
        };
        core.begin_stream(stream);
        // Before the mark is renewed: what it says of the log that was found is the proof that nothing is missing.
        core.free_space().await;
        core.mark_versions().await;

        let (appends, append_inbox) = mpsc::channel(APPEND_QUEUE);
        let (flushes, flush_inbox) = mpsc::channel(FLUSH_QUEUE);
        let publisher: Arc<dyn Publisher> = Arc::<Core>::clone(&core);
        let writer = WalWriter::new(
            core.store.clone(),
            publisher,
            &core.options,
            (stream, is_registered),
            Arc::clone(&core.stall),
        );
        let flusher = flush::run(Arc::clone(&core), flush_inbox).map(Ok);
        let (compacts, compact_inbox) = mpsc::channel(COMPACT_QUEUE);
        let upkeep = core.closing.child_token();
        let compactor = compact::run(Arc::clone(&core), compact_inbox, upkeep.clone());
        let tasks = Tasks {
            writer: tokio::spawn(watched(Arc::clone(&core), "wal writer", writer.run(append_inbox))),
            flusher: tokio::spawn(watched(Arc::clone(&core), "flusher", flusher)),
            orphans: tokio::spawn({
                let core = Arc::clone(&core);
                async move { core.end_orphans().await }
            }),
            compactor: tokio::spawn(compactor),
            vacuum: tokio::spawn(vacuum::run(Arc::clone(&core), upkeep.clone())),
        };
        // What was recovered is flushed behind the caller's back.
        core.flush_signals.full.notify_one();
        Ok(Arc::new(Self {
            core,
            appends: Mutex::new(Some(appends)),
            flushes: Mutex::new(Some(flushes)),
            compacts: Mutex::new(Some(compacts)),
            _upkeep: upkeep.drop_guard(),
            tasks: tokio::sync::Mutex::new(Some(tasks)),
        }))
    }

    /// An engine that answers queries and does nothing else.
    fn without_tasks(core: Arc<Core>) -> Self {
        let upkeep = core.closing.child_token().drop_guard();
        Self {
            core,
            appends: Mutex::default(),
            flushes: Mutex::default(),
            compacts: Mutex::default(),
            _upkeep: upkeep,
            tasks: tokio::sync::Mutex::default(),
        }
    }

    /// The tables.
    #[must_use]
    pub fn tables(&self) -> Vec<Arc<TableSpec>> {
        self.core.tables.values().map(|table| Arc::clone(&table.spec)).collect()
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
        self.append_by(table, batch, on_bad_row, self.core.append_deadline()).await
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
        deadline: tokio::time::Instant,
    ) -> Result<Appended> {
        self.core.check_writable()?;
        let parts = self.core.table(table)?;
        let appends = lock(&self.appends).clone().ok_or(EngineError::Closed)?;
        if let Some(failure) = self.core.stall.failure() {
            return Err(EngineError::WalStalled { failure });
        }
        let deadline = deadline.min(self.core.append_deadline());
        let memory = self.core.reserve(needed_for(batch)?, deadline).await?;
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
        EngineError::Delayed { step, waited: self.core.options.append_wait, retry_ms: RETRY_MS }
    }

    /// Checks a batch against every rule of its table and keeps nothing of it: the rows that [`Self::append`] would refuse it for.
    /// Waits for memory for a second at most: whoever asks has often waited for an append already.
    ///
    /// # Errors
    /// As [`Self::append`]; single rows are no error.
    pub async fn check(&self, table: &TableName, batch: &RecordBatch) -> Result<Vec<BadRow>> {
        let parts = self.core.table(table)?;
        let deadline = self.core.append_deadline().min(tokio::time::Instant::now() + CHECK_WAIT);
        let memory = self.core.reserve(needed_for(batch)?, deadline).await?;
        let (_, bad_rows) = self.prepare(parts, batch, memory, OnBadRow::Skip, deadline).await?;
        Ok(bad_rows)
    }

    /// Normalises a batch and readies it for memory; a large one on a blocking thread, so that the caller's runtime goes on.
    async fn prepare(
        &self,
        table: &Table,
        batch: &RecordBatch,
        memory: Reservation,
        on_bad_row: OnBadRow,
        deadline: tokio::time::Instant,
    ) -> Result<(Option<(RecordBatch, MemoryBatch)>, Vec<BadRow>)> {
        let (spec, normaliser, input) =
            (Arc::clone(&table.spec), Arc::clone(&table.normaliser), batch.clone());
        let work = move || {
            let started = Instant::now();
            let (rows, bad_rows) = match on_bad_row {
                OnBadRow::Refuse => (Some(normaliser.normalise(&input)?), vec![]),
                OnBadRow::Skip => normaliser.normalise_valid(&input)?,
            };
            drop(input);
            let Some(rows) = rows.filter(|rows| rows.num_rows() > 0) else { return Ok((None, bad_rows)) };
            // What came is gone, and narrow types may have grown.
            let memory = memory.resized(memory_of(&rows));
            let memory_batch = MemoryBatch::new(to_query(&spec, &rows)?, Some(memory));
            histogram!("hexflight_ingest_normalise_seconds").record(started.elapsed());
            Ok((Some((rows, memory_batch)), bad_rows))
        };
        if batch.num_rows() <= INLINE_ROWS_MAX {
            return work();
        }
        let turn = timeout_at(deadline, self.core.normalising.acquire()).await;
        // Never closed: an error here would mean so.
        let _turn = turn.map_err(|_| self.delayed("a core"))?.map_err(|_| EngineError::Closed)?;
        flush::blocking("normalise", work).await
    }

    /// The newest consistent cut of a table: it holds every batch acknowledged before the call.
    ///
    /// # Errors
    /// `NotFound` for an unknown table.
    pub fn snapshot(&self, table: &TableName) -> Result<Arc<Snapshot>> {
        Ok(self.core.table(table)?.view.snapshot())
    }

    /// Flushes every row that is visible now and returns when all of them are in committed files.
    ///
    /// # Errors
    /// Whatever stopped the flush; the rows stay in memory and in the WAL.
    pub async fn flush(&self) -> Result<()> {
        self.core.check_writable()?;
        let flushes = lock(&self.flushes).clone().ok_or(EngineError::Closed)?;
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
        self.core.check_writable()?;
        let compacts = lock(&self.compacts).clone().ok_or(EngineError::Closed)?;
        let (waiter, done) = oneshot::channel();
        compacts.send(CompactMessage::Everything(waiter)).await.map_err(|_| EngineError::Closed)?;
        done.await.unwrap_or(Err(EngineError::Closed))
    }

    /// Deletes files that were merged into others longer than `vacuum_after` ago and that no snapshot names. Returns how many.
    ///
    /// # Errors
    /// `Unavailable` when the store fails; the rest is deleted later.
    pub async fn vacuum(&self) -> Result<usize> {
        self.core.check_writable()?;
        self.core.vacuum().await
    }

    /// Refuses the appends that wait for memory, and those that would have to from now on. The first step of a shutdown.
    pub fn refuse_waiting(&self) {
        self.core.budget.refuse_waiting();
    }

    /// Refuses further appends, waits for those under way, ends loads, flushes, and closes the stream. A second call does nothing.
    ///
    /// # Errors
    /// Whatever stopped the flush; the WAL keeps the rows for the next start.
    pub async fn shutdown(&self) -> Result<()> {
        let Some(tasks) = self.tasks.lock().await.take() else { return Ok(()) };
        self.refuse_waiting();
        drop(lock(&self.appends).take());
        tasks.orphans.abort();
        drop(lock(&self.compacts).take());
        self.core.end_loads().await;
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
        drop(lock(&self.flushes).take());
        tasks.flusher.await.map_err(joined("flusher"))??;
        written.and(flushed)
    }

    async fn end_own_stream(&self, stream: StreamId, next: Sequence) -> Result<()> {
        let store = self.core.store.with_reserve();
        match timeout(FENCE_WAIT, wal::put_fence_if_space(&store, stream, next)).await {
            Ok(end) => match end? {
                // Somebody else has ended it.
                Some(PutEnd::Fenced) => {}
                end => self.core.end_stream(stream, Fence { sequence: next, is_put: end.is_some() }),
            },
            // The next start puts the fence; the rows can still be flushed if only the WAL's folder is at fault.
            Err(_) => tracing::warn!(%stream, "cannot close the stream; the next start will"),
        }
        Ok(())
    }

    /// The memory budget shared by ingest and queries.
    #[must_use]
    pub fn budget(&self) -> &Arc<Budget> {
        &self.core.budget
    }

    /// The store, for reading a snapshot's files.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.core.store
    }

    /// What the start found amiss and went on in spite of.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        self.core.findings()
    }

    /// `Err` with the reason when the process should not take more work.
    ///
    /// # Errors
    /// The failure, as text for a health check.
    pub fn health(&self) -> std::result::Result<(), String> {
        self.core.failure().map_or(Ok(()), Err)
    }
}

/// A task of the write path ends with an error, or in a panic, only when going on could lose rows: the process is then no
/// longer healthy.
async fn watched<T: Send + 'static>(
    core: Arc<Core>,
    task: &'static str,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let panicked = |error: JoinError| Err(EngineError::Task { task, detail: error.to_string() });
    let end = tokio::spawn(work).await.unwrap_or_else(panicked);
    if let Err(error) = &end {
        tracing::error!(%error, "the {task} stopped");
        core.note_task_failure(task, error);
    }
    end
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
