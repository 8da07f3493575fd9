//! One run of a question over everything that the scan kept.

use std::sync::{Arc, OnceLock};

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
use hexflight_engine::{DataFile, column};

use super::{
    groups::{Groups, Key, Selection},
    leaders,
    leaders::Deferred,
    question::Question,
    share::Share,
    top::Top,
    work::Work,
};
use crate::{
    cache::{Columns, DeviceNames},
    scan::SegmentScanExec,
};

/// Files or segments of a task at least: fewer are not worth another.
const TASK_ITEMS_MIN: usize = 4;
/// Tasks per thread: while some wait for files, others compute.
const TASKS_PER_THREAD: usize = 4;
/// The same where each task has a place for every device.
const TASKS_BY_DEVICE: usize = 2;

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
        // From the newest file on, one after the other, mostly few are read.
        let threads = if self.work.question.only_wants_newest() { 1 } else { threads };
        let mut share = self.in_tasks(files, threads, add_files).await?;
        share.left.extend(without);
        self.add_scanned(std::mem::take(&mut share.left), &mut share.groups, &context).await?;
        self.settle(&mut share, threads).await?;
        self.reservation.try_resize(share.groups.bytes())?;
        self.work.counters.publish();
        Ok(share.groups)
    }

    /// Divides items among tasks, each with groups of its own. A single thread takes them in order.
    async fn in_tasks<T: Send + 'static, F>(
        &self,
        items: Vec<T>,
        threads: usize,
        add: impl Fn(Work, Vec<T>, MemoryReservation) -> F,
    ) -> Result<Share>
    where
        F: Future<Output = Result<Share>> + Send + 'static,
    {
        let per_thread = if self.work.question.by_device() { TASKS_BY_DEVICE } else { TASKS_PER_THREAD };
        let tasks = (items.len() / TASK_ITEMS_MIN).clamp(1, threads * per_thread);
        if tasks == 1 || threads == 1 {
            return add(self.work.clone(), items, self.reservation.new_empty()).await;
        }
        let mut parts: Vec<Vec<T>> = (0..tasks).map(|_| vec![]).collect();
        items.into_iter().enumerate().for_each(|(index, item)| parts[index % tasks].push(item));
        let spawned: Vec<_> = parts
            .into_iter()
            .map(|part| SpawnedTask::spawn(add(self.work.clone(), part, self.reservation.new_empty())))
            .collect();
        let mut merged: Option<Share> = None;
        for task in spawned {
            let share = task
                .join_unwind()
                .await
                .map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??;
            match &mut merged {
                Some(merged) => merged.merge(share),
                None => merged = Some(share),
            }
        }
        Ok(merged.unwrap_or_else(|| Share::new(new_groups(&self.work, 0))))
    }

    /// Adds what is missing of segments of which only the devices with many rows were added.
    async fn settle(&self, share: &mut Share, threads: usize) -> Result<()> {
        let mut deferred = std::mem::take(&mut share.deferred);
        let Some(top) = self.leaders.filter(|_| !deferred.is_empty()) else { return Ok(()) };
        let candidates = leaders::candidates(&top, &share.groups, &deferred);
        if let Some(candidates) = &candidates {
            let before = deferred.len();
            deferred.retain(|deferred| !deferred.lists_all(candidates));
            self.work.counters.segments_rollup.add(before - deferred.len());
        }
        let add = |work, deferred, reservation| add_unlisted(work, deferred, candidates.clone(), reservation);
        let rest = self.in_tasks(deferred, threads, add).await?;
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

/// Adds files one after the other.
async fn add_files(work: Work, files: Vec<Arc<DataFile>>, reservation: MemoryReservation) -> Result<Share> {
    let rows: u64 = files.iter().filter_map(|file| file.row_count).sum();
    let mut share = Share::new(new_groups(&work, rows));
    for file in files {
        tokio::task::consume_budget().await;
        if work.is_older_than_needed(&file, &share.groups) {
            work.counters.segments_pruned.add(1);
            continue;
        }
        work.add_file(file, &mut share).await?;
        reservation.try_resize(share.groups.bytes())?;
    }
    Ok(share)
}

/// Adds the unlisted devices of segments, one after the other.
async fn add_unlisted(
    work: Work,
    deferred: Vec<Deferred>,
    candidates: Option<Arc<[u32]>>,
    reservation: MemoryReservation,
) -> Result<Share> {
    let mut share = Share::new(new_groups(&work, 0));
    for deferred in deferred {
        tokio::task::consume_budget().await;
        work.add_unlisted(&deferred, candidates.as_deref(), &mut share).await?;
        reservation.try_resize(share.groups.bytes())?;
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
        (column::TIMESTAMP, question.bin().is_some() || question.wants_last()),
        (column::DEVICE_ID, question.by_device()),
        (column::TYPE, question.by_type()),
        (column::VALUE, question.wants_values()),
        (column::H3, question.cell_resolution().is_some()),
    ];
    wanted.into_iter().filter(|(_, is_wanted)| *is_wanted).map(|(name, _)| name).collect()
}

fn columns_from(batch: &RecordBatch, names: &DeviceNames) -> Columns {
    let column = |name: &str| batch.column_by_name(name);
    let numbers = |name: &str| {
        column(name).map(|array| number_texts(array.as_string_view(), names)).unwrap_or_default()
    };
    Columns {
        times: column(column::TIMESTAMP)
            .map(|array| array.as_primitive::<TimestampMicrosecondType>().values().as_ref().into())
            .unwrap_or_default(),
        values: column(column::VALUE)
            .map(|array| array.as_primitive::<Float64Type>().values().as_ref().into())
            .unwrap_or_default(),
        cells: column(column::H3)
            .map(|array| array.as_primitive::<Int64Type>().iter().map(Option::unwrap_or_default).collect())
            .unwrap_or_default(),
        devices: numbers(column::DEVICE_ID),
        types: numbers(column::TYPE),
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
