//! Writes a batch with given properties, reads it back, and takes the CPU time of both: on a machine that others use as well,
//! wall time says more about them.

use std::{fs, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use arrow::array::RecordBatch;
use bytes::Bytes;
use parquet::{
    arrow::{
        ArrowWriter,
        arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
        arrow_writer::ArrowWriterOptions,
    },
    file::properties::WriterProperties,
};

/// Size and times of one set of properties, per row and per million rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// Bytes of the file divided by rows.
    pub(super) bytes_per_row: f64,
    /// Mean. **Units**: ms per million rows.
    pub(super) encode_ms: f64,
    /// Mean. **Units**: ms per million rows.
    pub(super) decode_ms: f64,
}

/// Encodes and decodes `batch` `repeats` times.
///
/// # Errors
/// The writer or the reader refuses, or what is read differs from what was written.
pub(super) fn cost(batch: &RecordBatch, properties: &WriterProperties, repeats: usize) -> Result<Cost> {
    let (mut encode, mut decode) = (Duration::ZERO, Duration::ZERO);
    let mut size = 0;
    for repeat in 0..repeats {
        let started = cpu_time()?;
        let file = write(batch, properties.clone())?;
        encode += cpu_time()? - started;
        size = file.len();
        let started = cpu_time()?;
        let batches = read(file)?;
        decode += cpu_time()? - started;
        if repeat == 0 {
            let back = arrow::compute::concat_batches(batch.schema_ref(), &batches)?;
            ensure!(back == *batch, "what was read differs from what was written");
        }
    }
    let rows = batch.num_rows() as f64;
    let per_million = |sum: Duration| sum.as_secs_f64() * 1e3 / (rows * repeats as f64 / 1e6);
    Ok(Cost {
        bytes_per_row: size as f64 / rows,
        encode_ms: per_million(encode),
        decode_ms: per_million(decode),
    })
}

/// CPU time of this thread so far, as the scheduler counts it.
fn cpu_time() -> Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").context("scheduler statistics")?;
    let nanos = text.split_whitespace().next().context("scheduler statistics are empty")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

fn write(batch: &RecordBatch, properties: WriterProperties) -> Result<Bytes> {
    let options = ArrowWriterOptions::new().with_properties(properties);
    let buffer = Vec::with_capacity(batch.num_rows() * 24);
    let mut writer = ArrowWriter::try_new_with_options(buffer, batch.schema(), options)?;
    writer.write(batch)?;
    Ok(Bytes::from(writer.into_inner()?))
}

fn read(file: Bytes) -> Result<Vec<RecordBatch>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, ArrowReaderOptions::new())?;
    let batches = reader.with_batch_size(8_192).build()?.collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(batches)
}

/// One column of a batch as a batch of its own.
///
/// # Errors
/// There is no such column.
pub(super) fn only(batch: &RecordBatch, index: usize) -> Result<RecordBatch> {
    let schema = Arc::new(batch.schema_ref().project(&[index])?);
    Ok(RecordBatch::try_new(schema, vec![Arc::clone(batch.column(index))])?)
}
