//! `import`: how fast a bulk load takes rows in any order or in order of time, what memory it needs, and where the time goes.
//!
//! Two tasks decode Parquet and push, as a loader of files does. Batches come from a small pool; their times are made when they
//! are pushed, which costs a nanosecond or two per row.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use arrow::array::{ArrayRef, RecordBatch, TimestampMicrosecondArray};
use bytes::Bytes;
use clap::ValueEnum;
use hexflight_engine::{
    Clock, ContentHash, Engine, EngineOptions, Import, OnBadRow, OnLoaded, SourceId, Store, SystemClock,
    column,
};
use metrics_exporter_prometheus::PrometheusBuilder;
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder},
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};

use crate::{
    Print,
    events::{self, HOUR_MICROS},
    scrape::Scrape,
    server_process::memory_of,
    table::Table,
};

/// Tasks that decode and push.
const TASKS: usize = 2;
/// Files in the pool, per task.
const FILES: usize = 4;
/// Stages that the engine times, in order.
const STAGES: [&str; 9] =
    ["decode", "normalise", "spread", "spill", "read", "sort", "encode", "put", "commit"];
/// **Units**: bytes.
const MIB: f64 = (1 << 20) as f64;

/// How the rows of the whole load lie in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// Each row anywhere in the span.
    Random,
    /// Each row after the one before.
    Time,
}

/// What is loaded.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) rows: usize,
    pub(crate) order: Order,
    pub(crate) memory_limit_bytes: usize,
    pub(crate) batch_rows: usize,
    /// Event time that the rows cover.
    pub(crate) hours: i64,
}

/// Reads `50M`, `2GiB`, `65536`.
///
/// # Errors
/// The text is not such an amount.
pub(crate) fn amount(text: &str) -> std::result::Result<usize, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(format!("{unit:?} is not k, M, KiB, MiB or GiB")),
    };
    number.parse::<usize>().map(|number| number * factor).map_err(|error| error.to_string())
}

/// Loads rows into an empty table.
///
/// # Errors
/// What the engine or the file system says, or rows are missing.
pub(crate) async fn run(settings: Settings, print: Print<'_>) -> Result<()> {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).ok().context("another metrics recorder is installed")?;
    let folder = tempfile::tempdir_in(".")?;
    let options =
        EngineOptions { memory_limit_bytes: settings.memory_limit_bytes, ..EngineOptions::default() };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let engine = Engine::open(Store::open_local(folder.path()).await?, options, clock).await?;
    let pools = (0..TASKS).map(|part| pool(settings.batch_rows, part)).collect::<Result<Vec<_>>>()?;

    let (started, cpu_before) = (Instant::now(), cpu_time()?);
    let import = Arc::new(engine.begin_import(&events::table()).await?);
    let source = Arc::new(Source::new(&settings));
    let tasks: Vec<_> = pools
        .into_iter()
        .map(|pool| tokio::spawn(push_all(Arc::clone(&import), Arc::clone(&source), pool)))
        .collect();
    for task in tasks {
        task.await??;
    }
    let pushed = started.elapsed();
    let progress = import.progress();
    let import = Arc::into_inner(import).context("a task still holds the load")?;
    let summary = import.commit(&[SourceId::of_content(ContentHash([1; 32]))], OnLoaded::Refuse).await?;
    let loaded = started.elapsed();
    let cpu = cpu_time()? - cpu_before;
    let counted: u64 =
        engine.snapshot(&events::table())?.files().iter().filter_map(|file| file.row_count).sum();
    ensure!(counted == settings.rows as u64, "{} rows were pushed, {counted} are there", settings.rows);

    let speed = |time: Duration| format!("{:.0}", settings.rows as f64 / time.as_secs_f64());
    let millions = settings.rows as f64 / 1e6;
    let mut table = Table::new(format!("import of {settings:?}"), &["what", "value"]);
    table.row(&[&"rows/s", &speed(loaded)]);
    table.row(&[&"rows/s until all were pushed", &speed(pushed)]);
    table.row(&[&"seconds", &format!("{:.1}", loaded.as_secs_f64())]);
    table.row(&[&"CPU s per million rows", &format!("{:.3}", cpu.as_secs_f64() / millions)]);
    table.row(&[&"resident at most (VmHWM), MiB", &mib(memory_of(std::process::id())?.peak as f64)]);
    table.row(&[&"budget at most, MiB", &mib(engine.budget().peak() as f64)]);
    table.row(&[&"spilled until all were pushed, MiB", &mib(progress.spilled_bytes as f64)]);
    table.row(&[&"files written until all were pushed", &progress.files]);
    table.row(&[&"files", &summary.files]);
    table.row(&[&"bytes per row", &format!("{:.2}", summary.bytes as f64 / settings.rows as f64)]);
    let scrape = Scrape::parse(&handle.render());
    let total = |name: &str| scrape.since(&Scrape::default(), name);
    table.row(&[&"spilled, MiB", &mib(total("hexflight_import_spilled_bytes_total"))]);
    for stage in STAGES {
        let seconds = total(&format!("hexflight_import_{stage}_seconds_sum"));
        table.row(&[&format!("{stage}, s per million rows"), &format!("{:.3}", seconds / millions)]);
    }
    engine.shutdown().await?;
    print(&table)
}

fn mib(bytes: f64) -> String {
    format!("{:.0}", bytes / MIB)
}

/// CPU time of this process so far.
fn cpu_time() -> Result<Duration> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = text.rsplit_once(')').context("stat has no name")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    Ok(Duration::from_secs_f64((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / TICKS_PER_SECOND))
}

/// Files of one batch each, as another system would write them.
fn pool(batch_rows: usize, part: usize) -> Result<Vec<Bytes>> {
    let batches = events::batches(batch_rows, FILES, HOUR_MICROS, part, TASKS)?;
    batches
        .iter()
        .map(|batch| {
            let compression = Compression::ZSTD(ZstdLevel::try_new(1)?);
            let properties = WriterProperties::builder().set_compression(compression).build();
            let mut writer = ArrowWriter::try_new(vec![], batch.schema(), Some(properties))?;
            writer.write(batch)?;
            Ok(Bytes::from(writer.into_inner()?))
        })
        .collect()
}

async fn push_all(import: Arc<Import>, source: Arc<Source>, pool: Vec<Bytes>) -> Result<()> {
    for file in pool.iter().cycle() {
        let Some(first) = source.next() else { break };
        let (source, file) = (Arc::clone(&source), file.clone());
        let decoded = tokio::task::spawn_blocking(move || source.batch(first, file)).await??;
        import.push(decoded, OnBadRow::Refuse).await?;
    }
    Ok(())
}

/// Which rows come next, and their times.
#[derive(Debug)]
struct Source {
    rows: usize,
    batch_rows: usize,
    order: Order,
    start_micros: i64,
    span_micros: i64,
    next: AtomicUsize,
}

impl Source {
    fn new(settings: &Settings) -> Self {
        // Whole hours, so that the first and the last are full.
        let now = SystemClock.now_micros() / HOUR_MICROS * HOUR_MICROS;
        let span_micros = settings.hours * HOUR_MICROS;
        Self {
            rows: settings.rows,
            batch_rows: settings.batch_rows,
            order: settings.order,
            start_micros: now - span_micros,
            span_micros,
            next: AtomicUsize::new(0),
        }
    }

    /// Number of the next batch's first row.
    fn next(&self) -> Option<usize> {
        let first = self.next.fetch_add(self.batch_rows, Ordering::Relaxed);
        (first < self.rows).then_some(first)
    }

    fn batch(&self, first: usize, file: Bytes) -> Result<RecordBatch> {
        let started = Instant::now();
        let mut reader =
            ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(self.batch_rows).build()?;
        let batch = reader.next().context("a file of the pool is empty")??;
        metrics::histogram!("hexflight_import_decode_seconds").record(started.elapsed());
        let batch = batch.slice(0, self.batch_rows.min(self.rows - first));
        let times: Vec<i64> = (first..first + batch.num_rows()).map(|row| self.time(row)).collect();
        let times = TimestampMicrosecondArray::from(times).with_timezone("UTC");
        let at = batch.schema().index_of(column::TIMESTAMP)?;
        let mut columns = batch.columns().to_vec();
        columns[at] = Arc::new(times) as ArrayRef;
        Ok(RecordBatch::try_new(batch.schema(), columns)?)
    }

    fn time(&self, row: usize) -> i64 {
        // Of 2³².
        let share = match self.order {
            Order::Time => ((row as u64) << 32) / self.rows as u64,
            // Multiplying by the golden ratio spreads numbers evenly.
            Order::Random => (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32,
        };
        let offset = (i128::from(self.span_micros) * i128::from(share)) >> 32;
        self.start_micros + i64::try_from(offset).unwrap_or_default()
    }
}
