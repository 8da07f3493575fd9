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
    question::Question,
    segment::Work,
};
use crate::{
    cache::{Columns, DeviceNames},
    scan::SegmentScanExec,
};

/// Files of a task at least: fewer are not worth another.
const TASK_FILES_MIN: usize = 4;
/// Tasks per thread: while one waits for a file, another computes.
const TASKS_PER_THREAD: usize = 2;

/// What one run needs.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) work: Work,
    pub(super) scan: Arc<SegmentScanExec>,
    /// Takes the scan of what rollups cannot answer.
    pub(super) scanned: Arc<OnceLock<Arc<SegmentScanExec>>>,
    pub(super) reservation: MemoryReservation,
}

impl Run {
    /// Adds up every row that the question is about.
    pub(super) async fn answer(self, context: Arc<TaskContext>) -> Result<Groups> {
        let threads = context.session_config().target_partitions().max(1);
        let files: Vec<_> =
            self.scan.files().iter().filter(|file| file.rollup.is_some()).map(Arc::clone).collect();
        let mut without: Vec<_> =
            self.scan.files().iter().filter(|file| file.rollup.is_none()).map(Arc::clone).collect();
        // From the newest file on, one after the other, mostly few are read.
        let one_by_one = self.work.question.only_wants_newest();
        let tasks = if one_by_one { 1 } else { files.len() / TASK_FILES_MIN };
        let tasks = tasks.clamp(1, threads * TASKS_PER_THREAD);
        let mut groups = if tasks == 1 {
            let (groups, left) = add_files(self.work.clone(), files, self.reservation.new_empty()).await?;
            without.extend(left);
            groups
        } else {
            self.add_in_tasks(files, tasks, &mut without).await?
        };
        self.add_scanned(without, &mut groups, &context).await?;
        self.reservation.try_resize(groups.bytes())?;
        self.work.counters.publish();
        Ok(groups)
    }

    async fn add_in_tasks(
        &self,
        files: Vec<Arc<DataFile>>,
        tasks: usize,
        without: &mut Vec<Arc<DataFile>>,
    ) -> Result<Groups> {
        let mut shares: Vec<Vec<_>> = vec![vec![]; tasks];
        files.into_iter().enumerate().for_each(|(index, file)| shares[index % tasks].push(file));
        let spawned: Vec<_> = shares
            .into_iter()
            .map(|share| {
                SpawnedTask::spawn(add_files(self.work.clone(), share, self.reservation.new_empty()))
            })
            .collect();
        let mut merged: Option<Groups> = None;
        for task in spawned {
            let (groups, left) = task
                .join_unwind()
                .await
                .map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??;
            without.extend(left);
            match &mut merged {
                Some(merged) => merged.merge(&groups),
                None => merged = Some(groups),
            }
        }
        Ok(merged.unwrap_or_else(|| new_groups(&self.work, &[])))
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

/// Adds files one after the other. Returns those that have no rollup that can be used.
async fn add_files(
    work: Work,
    files: Vec<Arc<DataFile>>,
    reservation: MemoryReservation,
) -> Result<(Groups, Vec<Arc<DataFile>>)> {
    let mut groups = new_groups(&work, &files);
    let mut without = vec![];
    for file in files {
        tokio::task::consume_budget().await;
        if work.is_older_than_needed(&file, &groups) {
            work.counters.segments_pruned.add(1);
            continue;
        }
        if !work.add_file(&file, &mut groups).await? {
            without.push(file);
        }
        reservation.try_resize(groups.bytes())?;
    }
    Ok((groups, without))
}

fn new_groups(work: &Work, files: &[Arc<DataFile>]) -> Groups {
    let rows: u64 = files.iter().filter_map(|file| file.row_count).sum();
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
