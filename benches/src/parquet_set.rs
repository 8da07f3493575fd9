//! `parquet`: a folder of Parquet files to import, of any size, in order of time or in none. It measures nothing; `hexflight import`
//! says by itself how fast it was.

use std::{fs::File, path::Path, sync::Arc};

use anyhow::{Result, ensure};
use arrow::{
    array::{RecordBatch, UInt32Array},
    compute::take_record_batch,
};
use clap::ValueEnum;
use hexflight::simulate::{Fleet, TimeSlice, Workload, WorkloadConfig};
use hexflight_engine::{Clock, SystemClock};
use parquet::{arrow::ArrowWriter, basic::Compression, file::properties::WriterProperties};

use crate::{Print, events::HOUR_MICROS};

/// Rows of a batch of the writer.
const BATCH_ROWS: usize = 64 << 10;

/// Rows of a row group: what pyarrow and Spark write, about.
const ROW_GROUP_ROWS: usize = 1 << 20;

/// Distance in a batch between rows that become neighbours; a prime, so that every row comes once whatever the batch's size.
const STRIDE: usize = 81_041;

/// In which order events lie in the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// Each file follows on the one before it, as a fleet sends.
    Time,
    /// Every few rows of every file are from all over the span.
    Random,
}

/// What to write.
#[derive(Debug, clap::Args)]
pub(crate) struct ParquetArgs {
    /// Rows in all files, with k or M for thousands or millions if you like
    #[arg(long, default_value = "50M", value_parser = parse_rows)]
    rows: usize,
    /// Files
    #[arg(long, default_value_t = 10)]
    files: usize,
    /// Order of the events
    #[arg(long, value_enum, default_value_t = Order::Time)]
    order: Order,
    /// Days before now that the events are spread over
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// Folder that is made for the files
    #[arg(long, value_name = "FOLDER")]
    out: std::path::PathBuf,
}

/// Writes the files.
///
/// # Errors
/// The folder exists, or the disk refuses.
pub(crate) fn run(args: &ParquetArgs, print: Print<'_>) -> Result<()> {
    ensure!(args.files > 0 && args.rows >= args.files, "--files {}: 1 to {}", args.files, args.rows);
    std::fs::create_dir(&args.out)?;
    let config = WorkloadConfig { batch_rows: BATCH_ROWS, ..WorkloadConfig::default() };
    let mut workload = Workload::new(Arc::new(Fleet::new(&config)), config);
    let span = i64::from(args.days) * 24 * HOUR_MICROS;
    let to_micros = SystemClock.now_micros();
    let whole = TimeSlice { from_micros: to_micros - span, to_micros };
    let (mut done, mut bytes) = (0, 0);
    for index in 0..args.files {
        let end = args.rows * (index + 1) / args.files;
        let path = args.out.join(format!("part-{index:04}.parquet"));
        let mut writer = writer(&path, &workload)?;
        while done < end {
            let rows = BATCH_ROWS.min(end - done);
            let slice = match args.order {
                Order::Time => part(whole, done, rows, args.rows)?,
                Order::Random => whole,
            };
            let batch = workload.batch_of(rows, slice).batch;
            writer.write(&if args.order == Order::Random { scattered(&batch)? } else { batch })?;
            done += rows;
        }
        writer.close()?;
        bytes += path.metadata()?.len();
        print(&format!(
            "{done} of {} rows in {} of {} files, {bytes} bytes",
            args.rows,
            index + 1,
            args.files
        ))?;
    }
    Ok(())
}

fn writer(path: &Path, workload: &Workload) -> Result<ArrowWriter<File>> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build();
    Ok(ArrowWriter::try_new(File::create_new(path)?, Arc::clone(workload.schema()), Some(properties))?)
}

/// The part of a span that belongs to `rows` of `total` rows.
fn part(whole: TimeSlice, done: usize, rows: usize, total: usize) -> Result<TimeSlice> {
    let micros = |row: usize| -> Result<i64> {
        let span = i128::from(whole.to_micros - whole.from_micros);
        Ok(whole.from_micros + i64::try_from(span * i128::try_from(row)? / i128::try_from(total)?)?)
    };
    Ok(TimeSlice { from_micros: micros(done)?, to_micros: micros(done + rows)? })
}

/// The same rows, neighbours far apart.
fn scattered(batch: &RecordBatch) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let indices: Vec<u32> =
        (0..rows).map(|row| u32::try_from(row * STRIDE % rows)).collect::<Result<_, _>>()?;
    Ok(take_record_batch(batch, &UInt32Array::from(indices))?)
}

fn parse_rows(text: &str) -> Result<usize, String> {
    let (digits, factor) = match text.as_bytes().last() {
        Some(b'k') => (&text[..text.len() - 1], 1_000),
        Some(b'M') => (&text[..text.len() - 1], 1_000_000),
        _ => (text, 1),
    };
    let rows = digits.parse::<usize>().ok().and_then(|rows| rows.checked_mul(factor));
    rows.ok_or_else(|| "rows are a whole number, for example 50M".to_owned())
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array};

    use super::*;

    #[test]
    fn every_row_comes_once() {
        for rows in [1, 7, 1_000, BATCH_ROWS] {
            let numbers = Int64Array::from_iter_values(0..i64::try_from(rows).unwrap());
            let batch = RecordBatch::try_from_iter([("n", Arc::new(numbers) as _)]).unwrap();
            let scattered = scattered(&batch).unwrap();
            let mut seen =
                scattered.column(0).as_primitive::<arrow::datatypes::Int64Type>().values().to_vec();
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..i64::try_from(rows).unwrap()), "{rows}");
        }
    }
}
