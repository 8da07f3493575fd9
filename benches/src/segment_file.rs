//! One segment as the engine makes it: simulated events go through an engine in this process, and the largest file that its
//! flush leaves is read back.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context, Result};
use arrow::{array::RecordBatch, compute::concat_batches};
use hexflight::simulate::{Fleet, TimeSlice, Workload, WorkloadConfig};
use hexflight_engine::{Clock, Engine, EngineOptions, Store, SystemClock, TableName};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Rows of an appended batch.
const BATCH_ROWS: usize = 8_192;
/// Event time that a million rows cover. **Units**: µs; half an hour, so that nearly all of them share a bucket.
const SPAN_MICROS: i64 = 1_800_000_000;

/// A segment's rows, sorted, and the file the engine made of them.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    /// All rows.
    pub(crate) rows: RecordBatch,
    /// Size of the file. **Units**: bytes.
    pub(crate) bytes: u64,
}

/// Flushes `row_count` simulated events as one generation below `folder` and reads its largest file.
///
/// # Errors
/// What the engine or the file system says.
pub(crate) async fn make(folder: &Path, row_count: usize) -> Result<SegmentFile> {
    let options = EngineOptions {
        generation_rows_max: usize::MAX,
        generation_bytes_max: usize::MAX,
        memory_limit_bytes: 8 << 30,
        ..EngineOptions::default()
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let engine = Engine::open(Store::open_local(folder).await?, options, Arc::clone(&clock)).await?;
    let table = TableName::new("events");
    let config = WorkloadConfig { batch_rows: BATCH_ROWS, ..WorkloadConfig::default() };
    let mut workload = Workload::new(Arc::new(Fleet::new(&config)), config);
    let batch_count = row_count.div_ceil(BATCH_ROWS);
    // The start of the last whole hour but one: every event lies in the past, and the span within one bucket.
    let start = (clock.now_micros() / 3_600_000_000 - 1) * 3_600_000_000;
    let step = SPAN_MICROS / i64::try_from(batch_count)?;
    let mut from_micros = start + 60_000_000;
    for _ in 0..batch_count {
        let slice = TimeSlice { from_micros, to_micros: from_micros + step };
        engine.append(&table, &workload.next_batch(slice).batch).await?.wait().await?;
        from_micros += step;
    }
    engine.flush().await?;
    engine.shutdown().await?;
    read_largest(folder)
}

fn read_largest(folder: &Path) -> Result<SegmentFile> {
    let mut files = vec![];
    parquet_files(folder, &mut files)?;
    let (bytes, path) = files.into_iter().max().context("the flush left no Parquet file")?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path)?)?;
    let schema = Arc::clone(reader.schema());
    let batches = reader.with_batch_size(1 << 20).build()?.collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(SegmentFile { rows: concat_batches(&schema, &batches)?, bytes })
}

/// Sizes and paths of all Parquet files below `folder`.
///
/// # Errors
/// The folder cannot be read.
pub(crate) fn parquet_files(folder: &Path, found: &mut Vec<(u64, std::path::PathBuf)>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            parquet_files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            found.push((entry.metadata()?.len(), path));
        }
    }
    Ok(())
}
