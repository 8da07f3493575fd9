//! `Load`: one bulk load under way. Callers push from any task; what memory has no room for is written behind them.
//!
//! ```text
//!  push ── wait for memory ── normalise, spread (blocking) ── partitions ── next step? ─┬─ write: cold partitions become files
//!                                                                                      └─ spill: all others to the scratch file
//! ```
//! A *keeper* waits until the load has ended, in whichever way, and for all that still runs in it; then it deletes what no commit
//! names. So nothing outlives a load: not a task, not a file, not a byte of memory.

use std::{
    path::{Path as FilePath, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

use arrow::{array::RecordBatch, compute::concat_batches};
use metrics::{counter, histogram};
use object_store::path::Path;
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore, SemaphorePermit},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    ImportProgress,
    memory::Memory,
    part::{Held, Piece, bytes_of},
    partitions::{Partitions, Step},
    scratch::{Chunk, Scratch},
    spread::spread,
};
use crate::{
    core::{Core, Table, cores, memory_of},
    engine::OnBadRow,
    error::{BadRow, EngineError, ErrorKind, Result},
    flush::blocking,
    schema::TableName,
    table::DataFile,
};

/// Rows that are spread together at least, unless they are large.
const SPREAD_ROWS_MIN: usize = 16_384;

/// Folder of scratch files below a local store's root, and below the system's temporary folder for other stores.
pub(crate) const SCRATCH_FOLDER: &str = "import-scratch";

/// See the module.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) core: Arc<Core>,
    table: TableName,
    pub(super) memory: Memory,
    pub(super) state: Mutex<State>,
    /// `None` once the load has ended.
    scratch: Mutex<Option<Arc<Scratch>>>,
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
    small: SmallBatches,
    /// Steps under way.
    pub(super) steps: usize,
    is_spilling: bool,
    /// Takes no more rows: the commit has begun.
    pub(super) is_closed: bool,
    pub(super) rows: u64,
    /// Names of files that were or are being put.
    locations: Vec<Path>,
    pub(super) files: Vec<DataFile>,
    failure: Option<(ErrorKind, String)>,
}

impl Load {
    /// Begins a load and its keeper.
    ///
    /// # Errors
    /// `NotFound` for an unknown table, `Closed` at shutdown, `Unavailable` when there is no place for the scratch file.
    pub(super) async fn begin(core: &Arc<Core>, table: &TableName) -> Result<Arc<Self>> {
        let bucket_micros = core.table(table)?.spec.bucket_micros();
        let stop = core.closing.child_token();
        if stop.is_cancelled() {
            return Err(EngineError::Closed);
        }
        let folder = scratch_folder(core.store.root());
        let scratch = blocking("import scratch", move || Scratch::create(&folder)).await?;
        let load = Arc::new(Self {
            core: Arc::clone(core),
            table: table.clone(),
            memory: Memory::new(&core.budget),
            state: Mutex::new(State {
                partitions: Partitions::new(bucket_micros),
                small: SmallBatches::default(),
                steps: 0,
                is_spilling: false,
                is_closed: false,
                rows: 0,
                locations: vec![],
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
        core.loads.spawn(Arc::clone(&load).keep());
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
        let held = self.reserve(memory_of(&batch)).await?;
        // Never closed: an error here would mean so.
        let _turn = self.core.normalising.acquire().await.map_err(|_| EngineError::Closed)?;
        let load = Arc::clone(self);
        // Tracked: it goes on when the caller does not wait for it.
        let taken = self.tasks.spawn_blocking(move || load.take(&batch, held, on_bad_row)).await;
        taken.map_err(|error| EngineError::Task { task: "import push", detail: error.to_string() })?
    }

    /// Normalises and spreads a batch on a blocking thread.
    fn take(self: &Arc<Self>, batch: &RecordBatch, held: Held, on_bad_row: OnBadRow) -> Result<Vec<BadRow>> {
        let started = Instant::now();
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
            let mut state = lock(&self.state);
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
        let started = Instant::now();
        let rows = match batches.as_slice() {
            [rows] => rows.clone(),
            batches => concat_batches(batches[0].schema_ref(), batches)?,
        };
        let width = lock(&self.state).partitions.width;
        let spread = spread(&rows, width, self.memory.limits.part_bytes(), held)?;
        histogram!("hexflight_import_spread_seconds").record(started.elapsed());
        let mut state = lock(&self.state);
        state.partitions.take(spread, &self.memory.limits);
        self.begin_step(&mut state);
        Ok(())
    }

    /// Spreads the small batches that still wait for more.
    pub(super) async fn take_small(self: &Arc<Self>) -> Result<()> {
        let Some((rows, held)) = lock(&self.state).small.take() else { return Ok(()) };
        let load = Arc::clone(self);
        blocking("import spread", move || load.take_rows(rows, held)).await
    }

    /// Memory for rows that are pushed: first of the load's own share, then of the engine's.
    async fn reserve(self: &Arc<Self>, bytes: usize) -> Result<Held> {
        let mut waiting = None;
        let when_short = || {
            waiting.get_or_insert_with(|| Waiting::begin(&self.waiting));
            self.begin_step(&mut lock(&self.state));
        };
        let own = self.memory.rows(bytes, &self.stop, when_short).await;
        drop(waiting);
        let own = own.ok_or_else(|| self.failure())?;
        let engine = tokio::select! {
            engine = self.core.reserve(bytes) => engine?,
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

    async fn spill_step(self: Arc<Self>, partitions: Vec<(i64, Vec<Piece>)>) {
        let end = self.spill(partitions).await;
        let end = end.map(|chunks| {
            let mut state = lock(&self.state);
            state.is_spilling = false;
            state.partitions.take_chunks(chunks);
        });
        self.end_step(end);
    }

    fn end_step(self: &Arc<Self>, end: Result<()>) {
        if let Err(error) = end {
            self.fail(&error);
        }
        let mut state = lock(&self.state);
        state.steps -= 1;
        self.begin_step(&mut state);
        drop(state);
        self.settled.notify_waiters();
    }

    /// Writes rows to the scratch file.
    ///
    /// # Errors
    /// `Unavailable` when the disk refuses, `Closed` when the load was stopped.
    pub(super) async fn spill(&self, partitions: Vec<(i64, Vec<Piece>)>) -> Result<Vec<(i64, Chunk)>> {
        let scratch = self.scratch()?;
        let stop = self.stop.clone();
        let chunk_bytes = self.memory.limits.part_bytes();
        let written = blocking("import spill", move || {
            let started = Instant::now();
            let before = scratch.bytes();
            let mut chunks = vec![];
            for (start, pieces) in partitions {
                for pieces in chunked(pieces, chunk_bytes) {
                    if stop.is_cancelled() {
                        return Err(EngineError::Closed);
                    }
                    let batches: Vec<RecordBatch> = pieces.iter().map(|piece| piece.batch.clone()).collect();
                    chunks.push((start, scratch.append(&batches)?));
                }
            }
            histogram!("hexflight_import_spill_seconds").record(started.elapsed());
            counter!("hexflight_import_spilled_bytes_total").increment(scratch.bytes() - before);
            Ok(chunks)
        });
        written.await
    }

    /// A file is about to be put.
    pub(super) fn begin_file(&self, location: &Path) {
        lock(&self.state).locations.push(location.clone());
    }

    /// A file was put.
    pub(super) fn end_file(&self, file: DataFile) {
        lock(&self.state).files.push(file);
    }

    pub(super) fn progress(&self) -> ImportProgress {
        let spilled_bytes = lock(&self.scratch).as_ref().map_or(0, |scratch| scratch.bytes());
        let state = lock(&self.state);
        ImportProgress {
            rows: state.rows,
            spilled_bytes,
            rows_written: state.files.iter().filter_map(|file| file.row_count).sum(),
            files: state.files.len(),
        }
    }

    /// Runs until the load has ended, then clears up.
    async fn keep(self: Arc<Self>) {
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

    /// Gives the load up with an error.
    pub(super) fn fail(&self, error: &EngineError) {
        let mut state = lock(&self.state);
        if !self.stop.is_cancelled() {
            tracing::warn!(%error, table = %self.table, "a load failed");
            state.failure.get_or_insert((error.kind(), error.to_string()));
            self.stop.cancel();
        }
    }

    /// Why the load was stopped.
    pub(super) fn failure(&self) -> EngineError {
        match &lock(&self.state).failure {
            None => EngineError::Closed,
            Some((ErrorKind::Unavailable, detail)) => EngineError::LoadFailed { detail: detail.clone() },
            Some((_, detail)) => EngineError::Task { task: "import", detail: detail.clone() },
        }
    }

    /// `Err` once the load was stopped.
    pub(super) fn check(&self) -> Result<()> {
        if self.stop.is_cancelled() { Err(self.failure()) } else { Ok(()) }
    }

    fn check_open(&self, state: &State) -> Result<()> {
        if self.stop.is_cancelled() || state.is_closed { Err(EngineError::Closed) } else { Ok(()) }
    }

    pub(super) fn scratch(&self) -> Result<Arc<Scratch>> {
        lock(&self.scratch).clone().ok_or(EngineError::Closed)
    }

    pub(super) fn table(&self) -> Result<&Table> {
        self.core.table(&self.table)
    }

    /// Waits for a turn to use a core.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>> {
        // Never closed: an error here would mean so.
        self.turns.acquire().await.map_err(|_| EngineError::Closed)
    }
}

/// Small batches that wait to be spread together: spread by itself, a batch of a few rows becomes pieces of a row or two.
#[derive(Debug, Default)]
struct SmallBatches {
    waiting: Option<(Vec<RecordBatch>, Held)>,
    rows: usize,
}

impl SmallBatches {
    /// Adds a batch; returns all that wait once they are many.
    fn join(&mut self, batch: RecordBatch, held: Held, bytes_max: usize) -> Option<(Vec<RecordBatch>, Held)> {
        self.rows += batch.num_rows();
        let (batches, all) = match &mut self.waiting {
            Some((batches, all)) => {
                all.merge(held);
                (batches, all)
            }
            None => {
                let (batches, all) = self.waiting.insert((vec![], held));
                (batches, all)
            }
        };
        batches.push(batch);
        if self.rows >= SPREAD_ROWS_MIN || all.own.bytes() >= bytes_max { self.take() } else { None }
    }

    fn take(&mut self) -> Option<(Vec<RecordBatch>, Held)> {
        self.rows = 0;
        self.waiting.take()
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

/// Where the scratch files of a store lie.
pub(crate) fn scratch_folder(root: Option<&FilePath>) -> PathBuf {
    match root {
        Some(root) => root.join(SCRATCH_FOLDER),
        None => std::env::temp_dir().join(format!("hexflight-{SCRATCH_FOLDER}")),
    }
}

/// Cuts a partition's pieces into runs of about `bytes`, so that each can be read back by itself.
fn chunked(pieces: Vec<Piece>, bytes: usize) -> Vec<Vec<Piece>> {
    let mut chunks: Vec<Vec<Piece>> = vec![];
    let mut filled = usize::MAX;
    for piece in pieces {
        if filled >= bytes {
            chunks.push(vec![]);
            filled = 0;
        }
        filled += piece.bytes;
        if let Some(chunk) = chunks.last_mut() {
            chunk.push(piece);
        }
    }
    chunks
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
