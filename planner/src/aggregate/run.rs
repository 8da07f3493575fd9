//! One run of a question over everything that the scan kept.

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
    time::Duration,
};

use arrow::{
    array::{Array, AsArray, RecordBatch, StringViewArray},
    datatypes::{Float64Type, Int64Type, TimestampMicrosecondType},
};
use datafusion::{
    common::runtime::SpawnedTask,
    error::{DataFusionError, Result},
    execution::{TaskContext, memory_pool::MemoryReservation},
    physical_plan::ExecutionPlan,
};
use futures::StreamExt;
use hexflight_engine::{
    DataFile, TableRole,
    time::{self, Instant},
};
use parking_lot::Mutex;

use super::{
    context::Work,
    deferred::{self, Deferred},
    groups::{Groups, Key, Selection},
    question::Question,
    share::Share,
    top::Top,
};
use crate::{
    cache::{Columns, DeviceNames},
    scan::SegmentScanExec,
};

/// Files or segments of a task at least: fewer are not worth another.
const TASK_ITEMS_MIN: usize = 4;
/// Tasks per thread: while some wait for files, others compute.
const TASKS_PER_THREAD: usize = 8;
/// The same where each task has a place for every device, cell or interval of time.
const TASKS_BY_MANY: usize = 2;

/// How long one task tries alone: what is in memory takes less, and other tasks cost more than they save.
const PATIENCE: Duration = Duration::from_millis(1);

/// What one run needs.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) work: Work,
    /// How many of the devices with the most rows are wanted, if that is all that is.
    pub(super) leaders: Option<Top>,
    pub(super) scan: Arc<SegmentScanExec>,
    /// Takes the scan of what rollups cannot answer.
    pub(super) scanned: Arc<OnceLock<Arc<SegmentScanExec>>>,
    pub(super) reservation: MemoryReservation,
}

impl Run {
    /// Adds up every row that the question is about.
    pub(super) async fn answer(self, context: Arc<TaskContext>) -> Result<Groups> {
        let threads = context.session_config().target_partitions().max(1);
        let (files, without): (Vec<_>, Vec<_>) =
            self.scan.files().iter().map(Arc::clone).partition(|file| file.rollup.is_some());
        let threads = if self.work.is_one_by_one(files.first()).await? { 1 } else { threads };
        let mut share = self.add_all(files, threads).await?;
        share.left.extend(without);
        self.add_scanned(std::mem::take(&mut share.left), &mut share.groups, &context).await?;
        self.settle(&mut share, threads).await?;
        self.reservation.try_resize(share.groups.bytes())?;
        self.work.counters.publish();
        Ok(share.groups)
    }

    /// Adds items one after the other, and with the help of more tasks if that takes longer than [`PATIENCE`].
    async fn add_all<T: Item>(&self, items: Vec<T>, threads: usize) -> Result<Share> {
        let question = &self.work.question;
        let by_many =
            question.by_device() || question.cell_resolution().is_some() || question.bin().is_some();
        let per_thread = if by_many { TASKS_BY_MANY } else { TASKS_PER_THREAD };
        let helpers = if threads == 1 { 0 } else { threads * per_thread - 1 };
        let queue = Arc::new(Queue::new(items));
        let task =
            |until| add_items(self.work.clone(), Arc::clone(&queue), until, self.reservation.new_empty());
        // Grouping the rows at the edges by cell takes long for sure.
        let patience = if question.cell_resolution().is_some() { Duration::ZERO } else { PATIENCE };
        let mut share = task((helpers > 0).then(|| time::now() + patience)).await?;
        let left = queue.len();
        if left == 0 {
            return Ok(share);
        }
        let spawned: Vec<_> =
            (0..helpers.min(left / TASK_ITEMS_MIN)).map(|_| SpawnedTask::spawn(task(None))).collect();
        share.merge(task(None).await?);
        for task in spawned {
            let theirs = task
                .join_unwind()
                .await
                .map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??;
            share.merge(theirs);
        }
        Ok(share)
    }

    /// Adds what is missing of segments of which only the devices with many rows were added.
    async fn settle(&self, share: &mut Share, threads: usize) -> Result<()> {
        let mut deferred = std::mem::take(&mut share.deferred);
        let Some(top) = self.leaders.filter(|_| !deferred.is_empty()) else { return Ok(()) };
        let candidates = deferred::candidates(&top, &share.groups, &deferred);
        if let Some(candidates) = &candidates {
            let before = deferred.len();
            deferred.retain(|deferred| !deferred.lists_all(candidates));
            self.work.counters.segments_rollup.add(before - deferred.len());
        }
        let unlisted = |deferred| Unlisted { deferred, candidates: candidates.clone() };
        let rest = self.add_all(deferred.into_iter().map(unlisted).collect(), threads).await?;
        share.merge(rest);
        Ok(())
    }

    /// Rows in memory, and of files whose rollup cannot be used, come through the scan, which tests them all.
    async fn add_scanned(
        &self,
        without: Vec<Arc<DataFile>>,
        groups: &mut Groups,
        context: &Arc<TaskContext>,
    ) -> Result<()> {
        if without.is_empty() && self.scan.memory_is_empty() {
            return Ok(());
        }
        self.work.counters.files_scanned.add(without.len());
        let question = &self.work.question;
        let scan = Arc::new(self.scan.narrowed(without, &columns_of(question))?);
        // Set before: the plan runs again, and the first run is the one that is looked at.
        let _ = self.scanned.set(Arc::clone(&scan));
        for partition in 0..scan.properties().partitioning.partition_count() {
            let mut batches = scan.execute(partition, Arc::clone(context))?;
            while let Some(batch) = batches.next().await {
                let batch = batch?;
                self.work.counters.scanned_rows.add(batch.num_rows());
                let columns = columns_from(&batch, &self.work.names);
                groups.add_rows(Key::default(), None, &columns, &Selection::All(0..batch.num_rows()));
                self.reservation.try_resize(groups.bytes())?;
            }
        }
        Ok(())
    }
}

/// Something to add to the groups.
trait Item: Send + 'static {
    fn add(self, work: &Work, share: &mut Share) -> impl Future<Output = Result<()>> + Send;
    /// Rows that it may add, about.
    fn rows(&self) -> u64;
}

impl Item for Arc<DataFile> {
    async fn add(self, work: &Work, share: &mut Share) -> Result<()> {
        if work.is_older_than_needed(&self, &share.groups) {
            work.counters.segments_pruned.add(1);
            return Ok(());
        }
        work.add_file(self, share).await
    }

    fn rows(&self) -> u64 {
        self.row_count.unwrap_or(u64::MAX)
    }
}

/// The devices of a segment that were not added; of `candidates` alone if they are known.
struct Unlisted {
    deferred: Deferred,
    candidates: Option<Arc<[u32]>>,
}

impl Item for Unlisted {
    async fn add(self, work: &Work, share: &mut Share) -> Result<()> {
        work.add_unlisted(&self.deferred, self.candidates.as_deref(), share).await
    }

    fn rows(&self) -> u64 {
        self.deferred.file.row_count.unwrap_or(u64::MAX)
    }
}

/// Items that tasks take one by one, in order.
struct Queue<T> {
    items: Mutex<VecDeque<T>>,
    rows: u64,
}

impl<T: Item> Queue<T> {
    fn new(items: Vec<T>) -> Self {
        let rows = items.iter().map(Item::rows).fold(0, u64::saturating_add);
        Self { items: Mutex::new(items.into()), rows }
    }

    fn next(&self) -> Option<T> {
        self.items.lock().pop_front()
    }

    fn len(&self) -> usize {
        self.items.lock().len()
    }
}

/// One task: takes items until there are none left, or the time is over.
async fn add_items<T: Item>(
    work: Work,
    queue: Arc<Queue<T>>,
    until: Option<Instant>,
    reservation: MemoryReservation,
) -> Result<Share> {
    let mut share = Share::new(new_groups(&work, queue.rows));
    while until.is_none_or(|until| time::now() < until)
        && let Some(item) = queue.next()
    {
        tokio::task::consume_budget().await;
        item.add(&work, &mut share).await?;
        reservation.try_resize(share.bytes())?;
    }
    Ok(share)
}

fn new_groups(work: &Work, rows: u64) -> Groups {
    let devices = work.names.read().len();
    Groups::new(&work.question, devices, usize::try_from(rows).unwrap_or(usize::MAX))
}

/// Columns of the table that the question looks at once rows are filtered.
fn columns_of(question: &Question) -> Vec<&'static str> {
    let wanted = [
        (TableRole::Time, question.bin().is_some() || question.wants_last()),
        (TableRole::Device, question.by_device()),
        (TableRole::Type, question.by_type()),
        (TableRole::Value, question.wants_values()),
        (TableRole::Cell, question.cell_resolution().is_some()),
    ];
    wanted.into_iter().filter(|(_, is_wanted)| *is_wanted).map(|(role, _)| role.name()).collect()
}

fn columns_from(batch: &RecordBatch, names: &DeviceNames) -> Columns {
    let column = |role: TableRole| batch.column_by_name(role.name());
    let numbers = |role: TableRole| {
        column(role).map(|array| number_texts(array.as_string_view(), names)).unwrap_or_default()
    };
    Columns {
        times: column(TableRole::Time)
            .map(|array| array.as_primitive::<TimestampMicrosecondType>().values().as_ref().into())
            .unwrap_or_default(),
        values: column(TableRole::Value)
            .map(|array| array.as_primitive::<Float64Type>().values().as_ref().into())
            .unwrap_or_default(),
        cells: column(TableRole::Cell)
            .map(|array| array.as_primitive::<Int64Type>().iter().map(Option::unwrap_or_default).collect())
            .unwrap_or_default(),
        devices: numbers(TableRole::Device),
        types: numbers(TableRole::Type),
        device_count: names.read().len(),
        ..Columns::default()
    }
}

/// Neighbours are often equal: equal views are equal texts.
fn number_texts(texts: &StringViewArray, names: &DeviceNames) -> Arc<[u32]> {
    let mut names = names.write();
    let mut last = None;
    let numbers = (0..texts.len()).map(|row| {
        let view = texts.views()[row];
        match last {
            Some((last_view, number)) if last_view == view => number,
            _ => {
                let number = names.number(texts.value(row));
                last = Some((view, number));
                number
            }
        }
    });
    numbers.collect()
}
