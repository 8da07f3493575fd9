//! Seals rows: from batches in order of arrival to sorted segments, one per group of time buckets.

use std::sync::Arc;

use arrow::array::RecordBatch;

use super::{
    bucket::{BUCKET_ROWS_MIN, Groups},
    sort::{SortedRows, sort_rows},
};
use crate::{
    budget::Budget,
    error::Result,
    memory::{Generation, MemoryBatch},
    schema::{TableSpec, timestamps},
};

/// Sorts batches of the query schema, as they arrived, into segments.
///
/// # Errors
/// `Internal` when Arrow refuses to gather.
pub(crate) fn segments(spec: &TableSpec, batches: &[&RecordBatch]) -> Result<Vec<RecordBatch>> {
    let timestamps = batches.iter().map(|batch| timestamps(batch));
    let groups = Groups::with_dense_minutes(spec.bucket_micros(), timestamps, BUCKET_ROWS_MIN);
    sort_rows(spec, batches, &groups)
}

/// Sorts batches of a load, which lie near each other in time, into segments that are not gathered yet.
pub(crate) fn sorted(spec: &TableSpec, batches: Vec<RecordBatch>) -> SortedRows {
    let groups = Groups::of(spec.bucket_micros(), batches.iter().map(timestamps), BUCKET_ROWS_MIN);
    SortedRows::of(spec, batches, &groups)
}

/// Seals a closed generation. The segments are accounted for on top of the batches until the last reader drops those.
///
/// # Errors
/// `Internal` when Arrow refuses to gather.
pub(crate) fn seal(spec: &TableSpec, budget: &Arc<Budget>, generation: &Generation) -> Result<Generation> {
    let batches: Vec<&RecordBatch> = generation.batches().iter().map(|batch| batch.batch()).collect();
    let segments = segments(spec, &batches)?.into_iter().map(|segment| {
        let memory = budget.reserve_unchecked(segment.get_array_memory_size());
        Arc::new(MemoryBatch::of_segment(segment, Some(memory)))
    });
    Ok(generation.sealed(segments.collect()))
}
