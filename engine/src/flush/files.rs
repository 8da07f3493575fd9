//! Writes generations as Parquet files, one per segment. They belong to nobody until a commit names them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::{StreamExt, stream};
use metrics::{counter, histogram};
use parking_lot::Mutex;

use crate::{
    budget::Budget,
    delta::{DataFile, DeltaLog},
    error::Result,
    file::{Attempt, Encoded, NewFile},
    memory::{Generation, GenerationState},
    segment,
    tasks::blocking,
    time,
};

/// Bytes that encoding a row takes at most, in the file being built and in the writer's buffers.
const ENCODE_BYTES_PER_ROW: usize = 64;

/// Writes the rows of `generations` durably and returns the files.
///
/// # Errors
/// `Unavailable` when the store fails. `put` then knows what was written, and nothing more is.
pub(crate) async fn write_files(
    log: &DeltaLog,
    budget: &Arc<Budget>,
    generations: &[Arc<Generation>],
    concurrency: usize,
    put: &Mutex<Attempt>,
) -> Result<Vec<DataFile>> {
    let segments = sorted(log, budget, generations).await?;
    let writes: Vec<_> = segments.into_iter().map(|segment| write_file(log, budget, segment, put)).collect();
    // To the end, also when one fails: none is put after what was put is deleted.
    let written: Vec<Result<DataFile>> = stream::iter(writes).buffered(concurrency).collect().await;
    written.into_iter().collect()
}

/// A sealed generation is sorted already; the rows of several are sorted together, so that a bucket becomes one file.
async fn sorted(
    log: &DeltaLog,
    budget: &Arc<Budget>,
    generations: &[Arc<Generation>],
) -> Result<Vec<RecordBatch>> {
    let batches: Vec<RecordBatch> = generations
        .iter()
        .flat_map(|generation| generation.batches().iter().map(|batch| batch.batch().clone()))
        .collect();
    if let [generation] = generations
        && generation.state() == GenerationState::Sealed
    {
        return Ok(batches);
    }
    let bytes: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
    let memory = budget.reserve_unchecked(bytes);
    let spec = Arc::clone(&log.spec);
    blocking("merge", move || {
        let _memory = memory;
        segment::segments(&spec, &batches.iter().collect::<Vec<_>>())
    })
    .await
}

async fn write_file(
    log: &DeltaLog,
    budget: &Arc<Budget>,
    segment: RecordBatch,
    put: &Mutex<Attempt>,
) -> Result<DataFile> {
    let row_count = segment.num_rows();
    let _memory = budget.reserve_unchecked(row_count * ENCODE_BYTES_PER_ROW);
    let spec = Arc::clone(&log.spec);
    let started = time::now();
    let encoded = blocking("encode", move || Encoded::of(&spec, row_count, [Ok(segment)])).await?;
    histogram!("hexflight_flush_encode_seconds").record(started.elapsed());
    let file = NewFile::new(log, encoded);
    counter!("hexflight_flush_bytes_total").increment(file.size_bytes() as u64);
    put.lock().begin(file.locations());
    file.put(log).await
}
