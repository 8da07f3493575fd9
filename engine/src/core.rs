//! `Core`: what the tasks of one engine share, and the steps that touch more than one module. `Engine` is its public face.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZero,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arrow::array::RecordBatch;
use futures::{FutureExt, TryStreamExt, future::BoxFuture, pin_mut};
use metrics::{counter, gauge};
use object_store::path::Path;
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    budget::{Budget, Reservation},
    clock::Clock,
    engine::EngineOptions,
    error::{EngineError, Result},
    finding::Finding,
    flush::{FlushSignals, Portion, blocking, flush_table},
    ingest::{Normaliser, growth_of, to_query},
    memory::{Generation, MemoryBatch},
    quarantine,
    schema::{Sequence, StreamId, TableName, TableSpec},
    store::Store,
    table::{Change, DeltaLog, OrphanEnd, TableState, commit, delete_young_orphans, end_orphans},
    vacuum::Vacuum,
    view::TableView,
    wal::{self, Fence, Publisher, PutEnd, Registered, Stall, Survey, Takeover},
};

/// Part of the memory limit that a generation takes at most: while one is filled, others are sorted and written.
const GENERATION_PART: usize = 16;

/// Part of the memory limit from which an active generation is flushed because memory is short. When less would be freed, memory
/// is held by others, and flushing would only make small files.
const PRESSURE_PART: usize = 32;

/// One table's parts.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) spec: Arc<TableSpec>,
    pub(crate) normaliser: Arc<Normaliser>,
    pub(crate) log: DeltaLog,
    pub(crate) view: TableView,
    committing: tokio::sync::Mutex<()>,
}

impl Table {
    fn new(spec: Arc<TableSpec>, normaliser: Arc<Normaliser>, log: DeltaLog, state: TableState) -> Self {
        let view = TableView::new(Arc::clone(&spec), Arc::new(state));
        Self { spec, normaliser, log, view, committing: tokio::sync::Mutex::default() }
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
        let committed = commit(&self.log.with_reserve(), &state, change).await;
        let (newest, error) = match committed {
            Ok(newest) => (Some(newest), None),
            Err(error) => (self.log.refresh(&state).await.ok(), Some(error)),
        };
        let newest = newest.map(Arc::new);
        if let Some(newest) = newest.as_ref().filter(|newest| newest.version() > state.version()) {
            self.view.advance(Arc::clone(newest));
        }
        match (newest, error) {
            (_, Some(error)) => Err(error),
            (Some(newest), None) => Ok(newest),
            (None, None) => unreachable!("a commit without an error has a state"),
        }
    }

    /// Removed files were deleted: nobody needs to remember them.
    pub(crate) async fn forget_removed(&self, deleted: &[Path]) {
        let _turn = self.committing.lock().await;
        let state = self.view.snapshot().table.without_removed(deleted);
        self.view.forget_removed(Arc::new(state));
    }
}

/// A stream that takes no more commits and whose rows are not all in files yet.
#[derive(Debug, Clone, Copy)]
struct EndedStream {
    stream: StreamId,
    fence: Fence,
}

/// What the tasks of one engine share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) store: Store,
    pub(crate) options: EngineOptions,
    pub(crate) budget: Arc<Budget>,
    pub(crate) tables: BTreeMap<TableName, Table>,
    pub(crate) flush_signals: FlushSignals,
    pub(crate) stall: Arc<Stall>,
    /// Large batches normalised at once: more than cores only wait for each other.
    pub(crate) normalising: Semaphore,
    /// Cancelled when the engine shuts down: loads under way end.
    pub(crate) closing: CancellationToken,
    /// The keepers of loads under way.
    pub(crate) loads: TaskTracker,
    vacuum: tokio::sync::Mutex<Vacuum>,
    ended: Mutex<Vec<EndedStream>>,
    /// Per live stream, the last commit before which every WAL object is deleted.
    deleted: Mutex<BTreeMap<StreamId, Sequence>>,
    flush_failure: Mutex<Option<String>>,
    task_failure: Mutex<Option<String>>,
    findings: Mutex<Vec<Finding>>,
}

impl Core {
    /// Opens every table.
    pub(crate) async fn open(store: Store, options: EngineOptions, clock: Arc<dyn Clock>) -> Result<Self> {
        let generation_bytes_max =
            options.generation_bytes_max.min(options.memory_limit_bytes / GENERATION_PART);
        let options = EngineOptions { generation_bytes_max, ..options };
        let flushed = Survey::of(&store).await?.flushed();
        let mut tables = BTreeMap::new();
        for spec in [TableSpec::events()] {
            let spec = Arc::new(spec);
            let log = DeltaLog::new(store.clone(), Arc::clone(&spec), Arc::clone(&clock));
            let state = if options.read_only {
                log.load(flushed.as_ref()).await?.unwrap_or_else(TableState::empty)
            } else {
                log.with_reserve().open(flushed.as_ref()).await?
            };
            let normaliser =
                Arc::new(Normaliser::new(Arc::clone(&spec), options.max_future, Arc::clone(&clock)));
            tables.insert(spec.name().clone(), Table::new(spec, normaliser, log, state));
        }
        Ok(Self {
            store,
            budget: Budget::new(options.memory_limit_bytes),
            options,
            tables,
            flush_signals: FlushSignals::default(),
            stall: Arc::default(),
            normalising: Semaphore::new(cores()),
            closing: CancellationToken::new(),
            loads: TaskTracker::new(),
            vacuum: tokio::sync::Mutex::default(),
            ended: Mutex::default(),
            deleted: Mutex::default(),
            flush_failure: Mutex::default(),
            task_failure: Mutex::default(),
            findings: Mutex::default(),
        })
    }

    /// A table by name.
    pub(crate) fn table(&self, name: &TableName) -> Result<&Table> {
        self.tables.get(name).ok_or_else(|| EngineError::UnknownTable {
            name: name.to_string(),
            known: self.tables.keys().map(TableName::as_str).collect::<Vec<_>>().join(", "),
        })
    }

    /// Marks the newest versions: whoever wrote them, their loss is noticed from now on.
    pub(crate) async fn mark_versions(&self) {
        for table in self.tables.values() {
            table.log.with_reserve().mark_loaded(table.view.snapshot().table.version()).await;
        }
    }

    /// Takes over every stream that left something: returns when their rows can be queried. All of them are looked at before anything
    /// is changed.
    pub(crate) async fn recover(&self) -> Result<()> {
        for takeover in self.look_at_streams().await? {
            self.recover_stream(takeover).await?;
        }
        Ok(())
    }

    async fn look_at_streams(&self) -> Result<Vec<Takeover>> {
        let survey = Survey::of(&self.store).await?;
        let mut findings = vec![];
        let registered = wal::registry::list(&self.store).await?;
        findings.extend(registered.iter().filter_map(|entry| entry.finding.clone()));
        findings.extend(self.vanished(&survey, &registered));
        let mut streams: BTreeSet<StreamId> = registered.iter().map(|entry| entry.stream).collect();
        for stream in survey.unfinished(|stream| self.flushed(stream)) {
            if streams.insert(stream) {
                findings.push(Finding {
                    object: wal::registry::path(stream).to_string(),
                    detail: format!(
                        "missing, and wal/{stream} holds what is in no file; the stream is taken over by its name"
                    ),
                });
            }
        }
        let mut takeovers = vec![];
        for stream in streams {
            let takeover = Takeover::of(&self.store, stream, self.flushed(stream)).await?;
            findings.extend(takeover.finding.clone());
            takeovers.push(takeover);
        }
        findings.extend(self.lost_commits(&takeovers));
        findings.into_iter().for_each(|finding| self.report(finding));
        Ok(takeovers)
    }

    /// The newest commits of the process before, if it noted more than there are. Not a reason to refuse the start: in a copy that was
    /// made beside a running server the note may be younger than the rest.
    fn lost_commits(&self, takeovers: &[Takeover]) -> Option<Finding> {
        let (stream, landed) = wal::landed::noted(&self.store)?;
        let end = takeovers
            .iter()
            .find(|takeover| takeover.stream == stream)
            .map(|takeover| takeover.end.previous());
        let end = end.unwrap_or_else(|| self.flushed(stream));
        (landed > end).then(|| Finding {
            object: wal::object_path(stream, end.next()).to_string(),
            detail: format!(
                "missing, and LOCK says that all up to commit {landed} were there: acknowledged rows are gone"
            ),
        })
    }

    /// A stream with rows in files leaves its fence, or the last flushed commit. One of which nothing is left may have had more than
    /// what is in files.
    fn vanished(&self, survey: &Survey, registered: &[Registered]) -> Option<Finding> {
        let deletes_flushed = |stream| {
            registered
                .iter()
                .any(|entry| entry.stream == stream && !entry.keeps_flushed && entry.finding.is_none())
        };
        let states: Vec<_> = self.tables.values().map(|table| table.view.snapshot()).collect();
        let flushed = states.iter().flat_map(|snapshot| snapshot.table.streams());
        let vanished: BTreeMap<StreamId, Sequence> =
            flushed.filter(|(stream, _)| !survey.holds(*stream) && !deletes_flushed(*stream)).collect();
        let (stream, flushed) = vanished.last_key_value()?;
        let others = vanished.len() - 1;
        Some(Finding {
            object: format!("wal/{stream}"),
            detail: format!(
                "nothing is left of this stream (and of {others} others), of which commits up to {flushed} are in files; if it had more, their \
                 rows are gone"
            ),
        })
    }

    /// The last sequence of a stream whose rows are in files.
    fn flushed(&self, stream: StreamId) -> Sequence {
        let flushed = self.tables.values().map(|table| table.view.snapshot().table.flushed(stream)).max();
        flushed.unwrap_or_default()
    }

    /// Puts the fence and sets aside what lies behind it. On a full disk that waits until the stream is closed, which makes space: until
    /// then the lock on the directory keeps others away.
    async fn end_dead_stream(&self, mut takeover: Takeover) -> Result<Takeover> {
        let store = self.store.with_reserve();
        while !takeover.is_fenced {
            match wal::put_fence_if_space(&store, takeover.stream, takeover.end).await? {
                Some(PutEnd::Landed) => takeover.is_fenced = true,
                // Somebody put an object there meanwhile: look again.
                Some(PutEnd::Fenced) => {
                    takeover = Takeover::of(&self.store, takeover.stream, takeover.flushed).await?;
                }
                None => {
                    tracing::warn!(stream = %takeover.stream, "the disk is full: the stream is fenced once there is space");
                    return Ok(takeover);
                }
            }
        }
        for path in &takeover.behind {
            match quarantine::set_aside(&store, path).await {
                Err(error) if error.is_storage_full() => {
                    tracing::warn!(%path, %error, "the object is set aside once there is space");
                }
                set_aside => set_aside?,
            }
        }
        Ok(takeover)
    }

    async fn recover_stream(&self, takeover: Takeover) -> Result<()> {
        let started = std::time::Instant::now();
        let takeover = if self.options.read_only { takeover } else { self.end_dead_stream(takeover).await? };
        let Takeover { stream, flushed, end, is_fenced, .. } = takeover;
        assert!(end > flushed, "fence {end} of stream {stream} lies behind its txn {flushed}");
        let mut loaded: BTreeMap<TableName, Generation> = BTreeMap::new();
        let mut rows = 0;
        let tail = wal::tail(&self.store, stream, flushed, end);
        pin_mut!(tail);
        while let Some((sequence, object)) = tail.try_next().await? {
            for (name, batches) in object.tables {
                let table = self.table(&name)?;
                let generation =
                    loaded.entry(name.clone()).or_insert_with(|| Generation::new(stream, sequence));
                for batch in batches {
                    rows += batch.num_rows();
                    let batch = self.read_back(table, batch).await?;
                    generation.push(sequence, Arc::new(batch))?;
                }
                if self.is_full(generation)
                    && let Some(full) = loaded.remove(&name)
                {
                    table.view.adopt(full);
                }
            }
            self.make_room().await?;
        }
        for (name, generation) in loaded {
            self.table(&name)?.view.adopt(generation);
        }
        if !self.options.read_only {
            self.end_stream(stream, Fence { sequence: end, is_put: is_fenced });
        }
        let seconds = started.elapsed().as_secs_f64();
        tracing::info!(%stream, fence = %end, rows, seconds, "recovered a stream");
        Ok(())
    }

    async fn read_back(&self, table: &Table, batch: RecordBatch) -> Result<MemoryBatch> {
        let memory = self.budget.events_unchecked(memory_of(&batch));
        let spec = Arc::clone(&table.spec);
        blocking("read back", move || Ok(MemoryBatch::new(to_query(&spec, &batch)?, Some(memory)))).await
    }

    /// A WAL tail may be larger than memory: what is loaded goes to files before more is read. A full disk takes no files; to be read, the
    /// rows may fill what queries have to share with them otherwise.
    async fn make_room(&self) -> Result<()> {
        let has_room = || match self.store.is_full() {
            true => self.budget.try_reserve(0, 1.0).is_ok(),
            false => self.budget.try_events(0).is_ok(),
        };
        if has_room() {
            return Ok(());
        }
        if self.options.read_only {
            return Err(EngineError::InvalidOption(format!(
                "memory limit: {} bytes do not take the rows that no file holds yet; start a server, which flushes them, or raise it",
                self.options.memory_limit_bytes
            )));
        }
        match self.flush(false).await {
            Err(error) if error.is_storage_full() && self.budget.try_reserve(0, 1.0).is_ok() => Ok(()),
            flushed => flushed,
        }
    }

    /// `Err` when nothing may be written.
    ///
    /// # Errors
    /// `Unavailable`, always the same.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.options.read_only { Err(EngineError::ReadOnly) } else { Ok(()) }
    }

    fn report(&self, finding: Finding) {
        counter!("hexflight_recovery_findings_total").increment(1);
        tracing::warn!(object = finding.object, detail = finding.detail, "found something amiss");
        lock(&self.findings).push(finding);
    }

    /// What the start found amiss.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        lock(&self.findings).clone()
    }

    /// Whether flushing the active generations would free a share of memory that matters.
    pub(crate) fn is_worth_closing(&self) -> bool {
        let active: usize = self.tables.values().map(|table| table.view.active_bytes()).sum();
        active >= self.options.memory_limit_bytes / PRESSURE_PART
    }

    fn is_full(&self, generation: &Generation) -> bool {
        generation.row_count() >= self.options.generation_rows_max
            || generation.bytes() >= self.options.generation_bytes_max
    }

    /// Waits for memory for events until a moment.
    pub(crate) async fn reserve(&self, bytes: usize, deadline: Instant) -> Result<Reservation> {
        self.budget.events(bytes, deadline, || self.flush_signals.pressure.notify_one()).await
    }

    /// When an append that begins now must have found its way into the log.
    pub(crate) fn append_deadline(&self) -> Instant {
        Instant::now() + self.options.append_wait
    }

    /// Whether appends wait for memory: whatever is not urgent gives up its own.
    pub(crate) fn is_short_of_memory(&self) -> bool {
        self.budget.waiting() > 0
    }

    /// Wakes the flusher if appends wait for memory that it could free. Nobody who waits looks again by itself.
    pub(crate) fn flush_if_short(&self) {
        if self.is_short_of_memory() && self.is_worth_closing() {
            self.flush_signals.pressure.notify_one();
        }
    }

    /// Deletes files that a version has removed. Returns how many.
    pub(crate) async fn vacuum(&self) -> Result<usize> {
        self.vacuum.lock().await.run(self).await
    }

    /// Flushes every table, then lets go of the WAL behind it. Boxed: the future is large, and is part of several others.
    pub(crate) fn flush(&self, everything: bool) -> BoxFuture<'_, Result<()>> {
        self.flush_tables(everything).boxed()
    }

    async fn flush_tables(&self, everything: bool) -> Result<()> {
        let concurrency = cores().div_ceil(2);
        // Lent as long as this lasts: what the disk has no space for otherwise is written, and the log behind it makes space.
        let store = self.store.with_reserve();
        let flushed = self.flush_to(&store, concurrency, everything).await;
        drop(store);
        self.store.keep_reserve().await;
        flushed
    }

    async fn flush_to(&self, store: &Store, concurrency: usize, everything: bool) -> Result<()> {
        let portion = Portion {
            rows_max: self.options.flush_rows_max,
            bytes_max: self.options.generation_bytes_max,
            concurrency,
        };
        let mut failure = None;
        for table in self.tables.values() {
            if let Err(error) = flush_table(table, &self.budget, portion, everything).await {
                failure.get_or_insert(error);
            }
        }
        // Also behind a flush that got only part of the way: on a full disk the rest needs the space.
        let freed = self.let_go_of_wal(store).await;
        failure.map_or(freed, Err)
    }

    /// Deletes the WAL behind what is in files. One stream that fails does not keep the others from it.
    async fn let_go_of_wal(&self, store: &Store) -> Result<()> {
        let mut failure = None;
        let ended: Vec<EndedStream> = lock(&self.ended).clone();
        for EndedStream { stream, fence } in ended {
            if let Err(error) = self.let_go_of_ended(store, stream, fence).await {
                failure.get_or_insert(error);
            }
        }
        let freed = self.let_go_of_flushed().await;
        failure.map_or(freed, Err)
    }

    /// Closes an ended stream whose rows are all in files; of one that is not so far, what was flushed goes.
    async fn let_go_of_ended(&self, store: &Store, stream: StreamId, fence: Fence) -> Result<()> {
        if !self.tables.values().any(|table| table.view.holds(stream)) {
            wal::close_stream(store, stream, fence).await?;
            lock(&self.ended).retain(|ended| ended.stream != stream);
            lock(&self.deleted).remove(&stream);
        } else if !lock(&self.deleted).contains_key(&stream) {
            let flushed = self.flushed_everywhere(stream);
            wal::delete_listed_commits(store, stream, flushed).await?;
            lock(&self.deleted).insert(stream, flushed);
        }
        Ok(())
    }

    /// Deletes the commits that were flushed since the last time.
    async fn let_go_of_flushed(&self) -> Result<()> {
        let live: Vec<(StreamId, Sequence)> =
            lock(&self.deleted).iter().map(|(stream, through)| (*stream, *through)).collect();
        for (stream, through) in live {
            let flushed = self.flushed_everywhere(stream);
            if flushed > through {
                // The last one stays: should the version that names it get lost, the gap before it tells.
                wal::delete_commits(&self.store, stream, through, flushed).await?;
                lock(&self.deleted).insert(stream, flushed);
            }
        }
        Ok(())
    }

    /// The last sequence of a stream whose rows are in files of all tables.
    fn flushed_everywhere(&self, stream: StreamId) -> Sequence {
        let flushed = self.tables.values().map(|table| table.view.snapshot().table.flushed(stream)).min();
        flushed.unwrap_or_default()
    }

    /// Makes space on a full disk at a start, before anything is flushed: what a flush that was cut off has left takes the space that the
    /// next one needs. Beside anything amiss nothing is deleted.
    pub(crate) async fn free_space(&self) {
        let is_whole = async || {
            lock(&self.findings).is_empty() && matches!(quarantine::is_empty(&self.store).await, Ok(true))
        };
        if self.store.root().is_none() || !self.store.is_full() || !is_whole().await {
            return;
        }
        for table in self.tables.values() {
            match delete_young_orphans(&table.log, &table.view.snapshot().table).await {
                Ok(0) => {}
                Ok(files) => tracing::warn!(
                    files,
                    "the disk is full: deleted what was written for a flush that was cut off"
                ),
                Err(error) => tracing::warn!(%error, "cannot look for orphaned files"),
            }
        }
    }

    /// Deletes what flushes that were cut off have left; while something is in quarantine it goes there as well. Only a missed clean-up
    /// when it fails.
    pub(crate) async fn end_orphans(&self) {
        let end = match quarantine::is_empty(&self.store).await {
            Ok(true) => OrphanEnd::Deleted,
            Ok(false) => OrphanEnd::SetAside,
            Err(error) => return tracing::warn!(%error, "cannot look for orphaned files"),
        };
        for table in self.tables.values() {
            match end_orphans(&table.log, &table.view.snapshot().table, end).await {
                Ok(0) => {}
                Ok(files) => tracing::info!(files, table = %table.spec.name(), ?end, "orphaned files"),
                Err(error) => tracing::warn!(%error, "cannot look for orphaned files"),
            }
        }
    }

    /// Ends the loads under way and waits until they have left nothing behind. One in the midst of its commit is let through.
    pub(crate) async fn end_loads(&self) {
        self.closing.cancel();
        self.loads.close();
        self.loads.wait().await;
    }

    /// Begins to look after a new stream's WAL.
    pub(crate) fn begin_stream(&self, stream: StreamId) {
        lock(&self.deleted).insert(stream, Sequence::NONE);
    }

    /// A stream takes no more commits from `fence` on; once its rows are in files it is closed.
    pub(crate) fn end_stream(&self, stream: StreamId, fence: Fence) {
        for table in self.tables.values() {
            table.view.end_stream(stream);
        }
        lock(&self.deleted).remove(&stream);
        lock(&self.ended).push(EndedStream { stream, fence });
    }

    /// Remembers how the last flush ended, for the health check.
    pub(crate) fn note_flush(&self, end: &Result<()>) {
        *lock(&self.flush_failure) = end.as_ref().err().map(ToString::to_string);
        gauge!("hexflight_memory_used_bytes").set(self.budget.used() as f64);
    }

    /// Remembers that a task has stopped, for the health check.
    pub(crate) fn note_task_failure(&self, task: &str, error: &EngineError) {
        *lock(&self.task_failure) = Some(format!("the {task} stopped: {error}"));
    }

    /// Why the process should not take more work, if it should not.
    pub(crate) fn failure(&self) -> Option<String> {
        if let Some(failure) = lock(&self.task_failure).clone() {
            return Some(failure);
        }
        let stalled =
            self.stall.failure().map(|failure| format!("the write-ahead log cannot be written: {failure}"));
        let full = || {
            let lacks = self.store.lacks_reserve();
            lacks.then(|| String::from("the disk is full: events are refused until there is space again"))
        };
        stalled.or_else(full).or_else(|| {
            lock(&self.flush_failure).clone().map(|failure| format!("the last flush failed: {failure}"))
        })
    }
}

impl Publisher for Core {
    fn publish(
        &self,
        stream: StreamId,
        sequence: Sequence,
        batches: Vec<(TableName, Arc<MemoryBatch>)>,
    ) -> Result<()> {
        let mut by_table: BTreeMap<TableName, Vec<Arc<MemoryBatch>>> = BTreeMap::new();
        for (table, batch) in batches {
            by_table.entry(table).or_default().push(batch);
        }
        for (name, batches) in by_table {
            let table = self.table(&name)?;
            let (rows, bytes) = table.view.publish(stream, sequence, batches)?;
            if rows >= self.options.generation_rows_max || bytes >= self.options.generation_bytes_max {
                table.view.close_active();
                self.flush_signals.full.notify_one();
            }
        }
        self.flush_if_short();
        Ok(())
    }

    fn stream_ended(&self, stream: StreamId, next: Sequence) {
        // Whoever put the fence has seen to it that it is there.
        self.end_stream(stream, Fence { sequence: next, is_put: true });
    }

    fn stream_begun(&self, stream: StreamId) {
        self.begin_stream(stream);
    }

    /// On a full disk the log makes space once its rows are in files.
    fn stalled(&self) {
        if self.store.is_full() {
            self.flush_signals.space.notify_one();
        }
    }
}

/// Memory that a batch of the WAL schema takes with its query form: its own bytes and a view per text.
pub(crate) fn memory_of(batch: &RecordBatch) -> usize {
    const VIEW_BYTES: usize = 16;
    let columns = batch.columns().iter();
    let own: usize = columns.map(|array| array.to_data().get_slice_memory_size().unwrap_or(0)).sum();
    own + batch.num_rows() * VIEW_BYTES * 3
}

/// Memory that a batch takes while it is normalised: what came, and what becomes of it.
///
/// # Errors
/// `Invalid` when it would be more than one batch may have.
pub(crate) fn needed_for(input: &RecordBatch) -> Result<usize> {
    Ok(memory_of(input).saturating_add(growth_of(input)?))
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
