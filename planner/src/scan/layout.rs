//! Spreads what is to be read over partitions: large memory batches in slices, files as bytes, each partition about the same
//! number of rows. Little work stays in one partition, where it needs no exchange.

use std::sync::Arc;

use arrow::array::RecordBatch;
use hexflight_engine::{DataFile, MemoryBatch};

use super::prune_sources::KeptBatch;

/// Rows of the largest slice of a memory batch, also of the largest batch that a scan emits.
const SLICE_ROWS_MAX: usize = 1 << 16;

/// Below this a second partition costs more than it saves: filtering a row takes nanoseconds, an exchange of batches µs.
const PARTITION_ROWS_MIN: usize = 1 << 17;

/// Bytes per row assumed of a file without a row count.
const FILE_ROW_BYTES: u64 = 20;

/// A range of rows of a memory batch.
#[derive(Debug, Clone)]
pub(super) struct MemorySlice {
    /// The batch that holds them.
    pub(super) source: Arc<MemoryBatch>,
    offset: usize,
    row_count: usize,
}

impl MemorySlice {
    /// The rows, not copied.
    pub(super) fn rows(&self) -> RecordBatch {
        self.source.batch().slice(self.offset, self.row_count)
    }
}

/// Partitions that the kept files and batches are worth.
pub(super) fn partition_count(files: &[Arc<DataFile>], memory: &[KeptBatch], partitions_max: usize) -> usize {
    let memory_rows: usize = memory.iter().map(KeptBatch::row_count).sum();
    let rows = memory_rows.saturating_add(files_rows(files));
    rows.div_ceil(PARTITION_ROWS_MIN).clamp(1, partitions_max.max(1))
}

/// Rows of files, estimated where the log does not say.
pub(super) fn files_rows(files: &[Arc<DataFile>]) -> usize {
    let rows = files.iter().map(|file| file.row_count.unwrap_or(file.size_bytes / FILE_ROW_BYTES));
    rows.map(|rows| usize::try_from(rows).unwrap_or(usize::MAX)).fold(0, usize::saturating_add)
}

/// Gives each slice to the partition with the least to do, in order. `file_partitions` of them also read files.
pub(super) fn spread(
    memory: &[KeptBatch],
    files: &[Arc<DataFile>],
    file_partitions: usize,
    partitions: usize,
) -> Vec<Arc<[MemorySlice]>> {
    let file_share = files_rows(files) / file_partitions.max(1);
    let mut loads: Vec<usize> =
        (0..partitions).map(|partition| if partition < file_partitions { file_share } else { 0 }).collect();
    let mut slices: Vec<Vec<MemorySlice>> = vec![Vec::new(); partitions];
    for slice in memory.iter().flat_map(slices_of) {
        let lightest = (0..partitions).min_by_key(|partition| loads[*partition]).unwrap_or(0);
        loads[lightest] = loads[lightest].saturating_add(slice.row_count);
        slices[lightest].push(slice);
    }
    slices.into_iter().map(Arc::from).collect()
}

fn slices_of(kept: &KeptBatch) -> impl Iterator<Item = MemorySlice> {
    kept.runs.iter().flat_map(|run| {
        run.clone().step_by(SLICE_ROWS_MAX).map(|offset| MemorySlice {
            source: Arc::clone(&kept.batch),
            offset,
            row_count: SLICE_ROWS_MAX.min(run.end - offset),
        })
    })
}
