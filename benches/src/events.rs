//! Batches made before a clock starts: the simulator's workload, and the table they go to.

use std::sync::Arc;

use anyhow::Result;
use arrow::array::RecordBatch;
use hexflight::simulate::{Fleet, TimeSlice, Workload, WorkloadConfig};
use hexflight_engine::{Clock, SystemClock, TableName};

/// µs of an hour.
pub(crate) const HOUR_MICROS: i64 = 3_600_000_000;

/// The table that is measured.
pub(crate) fn table() -> TableName {
    TableName::new("events")
}

/// `batch_count` batches of `batch_rows` rows whose events are spread over the last `span_micros`, five in a hundred of them late.
///
/// # Errors
/// A number is out of range.
pub(crate) fn batches(
    batch_rows: usize,
    batch_count: usize,
    span_micros: i64,
    part: usize,
    parts: usize,
) -> Result<Vec<RecordBatch>> {
    let config = WorkloadConfig { batch_rows, ..WorkloadConfig::default() };
    let mut workload = Workload::shard(Arc::new(Fleet::new(&config)), config, part, parts);
    let step = span_micros / i64::try_from(batch_count)?;
    let mut from_micros = SystemClock.now_micros() - span_micros;
    let mut batches = Vec::with_capacity(batch_count);
    for _ in 0..batch_count {
        batches.push(workload.next_batch(TimeSlice { from_micros, to_micros: from_micros + step }).batch);
        from_micros += step;
    }
    Ok(batches)
}
