//! `Load`: one bulk load under way. Callers push from any task; what memory has no room for is written behind them.
//!
//! ```text
//!  push ── wait for memory ── normalise, spread (blocking) ── partitions ── next step? ─┬─ write: cold partitions become files
//!                                                                                      └─ spill: all others to the scratch file
//! ```

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use arrow::{array::RecordBatch, compute::concat_batches};
use metrics::{counter, histogram};
use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore, SemaphorePermit},
    task::JoinError,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    ImportParts, ImportProgress,
    memory::Memory,
    part::{Held, bytes_of},
    partitions::{Partitions, Step},
    scratch::{Scratch, scratch_folder},
    small::SmallBatches,
    spread::spread,
};
use crate::{
    budget::Admission,
    delta::DataFile,
    error::{BadRow, EngineError, ErrorKind, Result},
    file::Attempt,
    ingest::{OnBadRow, needed_for},
    schema::TableName,
    tables::{Table, Tables},
    tasks::{blocking, cores, spawn_computing},
    time,
};

/// See the module.
#[derive(Debug)]
pub(super) struct Load {
    tables: Arc<Tables>,
    table: TableName,
    admission: Arc<Admission>,
    /// Large batches normalised at once, of all that come.
    normalising: Arc<Semaphore>,
    pub(super) memory: Memory,
    pub(super) state: Mutex<State>,
    /// `None` once the load has ended.
    pub(super) scratch: Mutex<Option<Arc<Scratch>>>,
    /// Pushes that found no memory and wait for it.
    waiting: AtomicUsize,
    /// A step or a push has ended.
    pub(super) settled: Notify,
    /// Sorts and encodes at once.
    turns: Semaphore,
    /// Cancelled when the load has failed, was given up or the engine closes.
    pub(super) stop: CancellationToken,
    /// All that runs in the load.
    pub(super) tasks: TaskTracker,
    /// Whether the files may be in the table: they are not deleted then.
    pub(super) may_be_committed: AtomicBool,
}

/// What a load has so far.
#[derive(Debug)]
pub(super) struct State {
    pub(super) partitions: Partitions,
    pub(super) small: SmallBatches,
    /// Steps under way.
    pub(super) steps: usize,
    pub(super) is_spilling: bool,
    /// Takes no more rows: the commit has begun.
    pub(super) is_closed: bool,
    pub(super) rows: u64,
    /// Files that were or are being put.
    pub(super) put: Attempt,
    pub(super) files: Vec<DataFile>,
    pub(super) failure: Option<(ErrorKind, String)>,
}

impl State {
    /// Why the load takes no more.
    pub(super) fn failure(&self) -> EngineError {
        match &self.failure {
            None => EngineError::Closed,
            Some((ErrorKind::Unavailable, detail)) => EngineError::LoadFailed { detail: detail.clone() },
            Some((_, detail)) => EngineError::Task { task: "import", detail: detail.clone() },
        }
    }
}

impl Load {
    /// Begins a load and its keeper.
    ///
    /// # Errors
    /// `NotFound` for an unknown table, `Closed` at shutdown, `Unavailable` when there is no place for the scratch file.
    pub(super) async fn begin(parts: &ImportParts, table: &TableName) -> Result<Arc<Self>> {
        let bucket_micros = parts.tables.get(table)?.spec.bucket_micros();
        let stop = parts.loads.stop();
        if stop.is_cancelled() {
            return Err(EngineError::Closed);
        }
        let folder = scratch_folder(parts.store.root());
        let scratch = blocking("import scratch", move || Scratch::create(&folder)).await?;
        let load = Arc::new(Self {
            tables: Arc::clone(&parts.tables),
            table: table.clone(),
            admission: Arc::clone(&parts.admission),
            normalising: Arc::clone(&parts.normalising),
            memory: Memory::new(&parts.admission.budget),
            state: Mutex::new(State {
                partitions: Partitions::new(bucket_micros),
                small: SmallBatches::default(),
                steps: 0,
                is_spilling: false,
                is_closed: false,
                rows: 0,
                put: Attempt::default(),
                files: vec![],
                failure: None,
            }),
            scratch: Mutex::new(Some(Arc::new(scratch))),
            waiting: AtomicUsize::new(0),
            settled: Notify::new(),
            turns: Semaphore::new(cores()),
            stop,
            tasks: TaskTracker::new(),
            may_be_committed: AtomicBool::new(false),
        });
        parts.loads.keep(Arc::clone(&load).keep());
        Ok(load)
    }

    pub(super) async fn push(
        self: &Arc<Self>,
        batch: RecordBatch,
        on_bad_row: OnBadRow,
    ) -> Result<Vec<BadRow>> {
        self.check()?;
        if batch.num_rows() == 0 {
            return Ok(vec![]);
        }
        let held = self.reserve(needed_for(&batch)?).await?;
        // Never closed: an error here would mean so.
        let turn = Arc::clone(&self.normalising).acquire_owned().await.map_err(|_| EngineError::Closed)?;
        let load = Arc::clone(self);
        // Tracked: it goes on when the caller does not wait for it.
        let take = move || {
            // Ends with the work, also when nobody asks for its outcome.
            let _turn = turn;
            load.take(&batch, held, on_bad_row)
        };
        let taken = self.tasks.spawn(spawn_computing(take)).await;
        let panicked =
            |error: JoinError| EngineError::Task { task: "import push", detail: error.to_string() };
        taken.map_err(panicked)?.map_err(panicked)?
    }

    /// Normalises and spreads a batch on a blocking thread.
    fn take(self: &Arc<Self>, batch: &RecordBatch, held: Held, on_bad_row: OnBadRow) -> Result<Vec<BadRow>> {
        let started = time::now();
        let normaliser = &self.table()?.normaliser;
        let (rows, bad_rows) = match on_bad_row {
            OnBadRow::Refuse => (Some(normaliser.normalise(batch)?), vec![]),
            OnBadRow::Skip => normaliser.normalise_valid(batch)?,
        };
        histogram!("hexflight_import_normalise_seconds").record(started.elapsed());
        let Some(rows) = rows else { return Ok(bad_rows) };
        counter!("hexflight_import_rows_total").increment(rows.num_rows() as u64);
        let held = held.resized(bytes_of(&rows));
        let (rows, held) = {
            let mut state = self.state.lock();
            self.check_open(&state)?;
            state.rows += rows.num_rows() as u64;
            match state.small.join(rows, held, self.memory.limits.part_bytes()) {
                Some(joined) => joined,
                None => return Ok(bad_rows),
            }
        };
        self.take_rows(rows, held)?;
        Ok(bad_rows)
    }

    /// Spreads rows of the WAL schema.
    fn take_rows(self: &Arc<Self>, batches: Vec<RecordBatch>, held: Held) -> Result<()> {
        let started = time::now();
        let rows = match batches.as_slice() {
            [rows] => rows.clone(),
            batches => concat_batches(batches[0].schema_ref(), batches)?,
        };
        let width = self.state.lock().partitions.width;
        let spread = spread(&rows, width, self.memory.limits.part_bytes(), held)?;
        histogram!("hexflight_import_spread_seconds").record(started.elapsed());
        let mut state = self.state.lock();
        state.partitions.take(spread, &self.memory.limits);
        self.begin_step(&mut state);
        Ok(())
    }

    /// Spreads the small batches that still wait for more.
    pub(super) async fn take_small(self: &Arc<Self>) -> Result<()> {
        let Some((rows, held)) = self.state.lock().small.take() else { return Ok(()) };
        let load = Arc::clone(self);
        blocking("import spread", move || load.take_rows(rows, held)).await
    }

    /// Memory for rows that are pushed: first of the load's own share, then of the engine's.
    async fn reserve(self: &Arc<Self>, bytes: usize) -> Result<Held> {
        let mut waiting = None;
        let when_short = || {
            waiting.get_or_insert_with(|| Waiting::begin(&self.waiting));
            self.begin_step(&mut self.state.lock());
        };
        let own = self.memory.rows(bytes, &self.stop, when_short).await;
        drop(waiting);
        let own = own.ok_or_else(|| self.failure())?;
        let engine = tokio::select! {
            biased;
            engine = self.admission.reserve(bytes, self.admission.deadline()) => engine?,
            () = self.stop.cancelled() => return Err(self.failure()),
        };
        Ok(Held { own, engine })
    }

    /// Begins what should be done about memory, if anything.
    fn begin_step(self: &Arc<Self>, state: &mut State) {
        if self.stop.is_cancelled() || state.is_closed {
            return;
        }
        let is_short = self.waiting.load(Ordering::Relaxed) > 0 && state.steps == 0;
        let step = state.partitions.next_step(&self.memory.limits, is_short, !state.is_spilling);
        // Both callers are in the runtime: a task, or a blocking thread of it.
        let runtime = Handle::current();
        match step {
            None => {}
            Some(Step::Spill(partitions)) => {
                state.steps += 1;
                state.is_spilling = true;
                self.tasks.spawn_on(Arc::clone(self).spill_step(partitions), &runtime);
            }
            Some(Step::Write(units)) => {
                state.steps += units.len();
                for unit in units {
                    let load = Arc::clone(self);
                    self.tasks.spawn_on(async move { load.end_step(load.write(unit).await) }, &runtime);
                }
            }
        }
    }

    /// A step has ended; another may be due.
    pub(super) fn end_step(self: &Arc<Self>, end: Result<()>) {
        if let Err(error) = end {
            self.fail(&error);
        }
        let mut state = self.state.lock();
        state.steps -= 1;
        self.begin_step(&mut state);
        drop(state);
        self.settled.notify_waiters();
    }

    pub(super) fn progress(&self) -> ImportProgress {
        let spilled_bytes = self.scratch.lock().as_ref().map_or(0, |scratch| scratch.bytes());
        let state = self.state.lock();
        ImportProgress {
            rows: state.rows,
            spilled_bytes,
            rows_written: state.files.iter().filter_map(|file| file.row_count).sum(),
            files: state.files.len(),
        }
    }

    fn check_open(&self, state: &State) -> Result<()> {
        if self.stop.is_cancelled() || state.is_closed { Err(state.failure()) } else { Ok(()) }
    }

    pub(super) fn scratch(&self) -> Result<Arc<Scratch>> {
        self.scratch.lock().clone().ok_or(EngineError::Closed)
    }

    pub(super) fn table(&self) -> Result<&Table> {
        self.tables.get(&self.table)
    }

    /// Waits for a turn to use a core.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>> {
        // Never closed: an error here would mean so.
        self.turns.acquire().await.map_err(|_| EngineError::Closed)
    }
}

/// Somebody waits for memory while this lives.
#[derive(Debug)]
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
