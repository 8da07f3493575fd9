//! `commit`: what one flush commit costs with 10, 1,000 and 10,000 files in the table, and how long such a table takes to open.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use hexflight_engine::{Clock, Engine, EngineOptions, Store, SystemClock};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::Value;

use crate::{
    Print,
    events::{self, HOUR_MICROS},
    percentile::percentile,
    scrape::Scrape,
    table::Table,
};

/// Files in the table.
const FILE_COUNTS: [usize; 3] = [10, 1_000, 10_000];

/// Measures `flushes` commits per size.
///
/// # Errors
/// What the engine or the file system says.
pub(crate) async fn run(flushes: usize, print: Print<'_>) -> Result<()> {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).ok().context("another metrics recorder is installed")?;
    let header =
        ["files", "open ms", "commit p50 ms", "commit p95 ms", "commit max ms", "flush of 1 row p50 ms"];
    let mut table = Table::new("flush commit", &header);
    for file_count in FILE_COUNTS {
        let folder = tempfile::tempdir_in(".")?;
        flush_rows(folder.path(), 1).await?;
        add_files(folder.path(), file_count, |_, _| {})?;
        let mut measured = measure(folder.path(), flushes, &handle).await?;
        let mut cell = |share| format!("{:.2}", percentile(&mut measured.commits, share).as_secs_f64() * 1e3);
        let (middle, high, most) = (cell(0.5), cell(0.95), cell(1.0));
        table.row(&[
            &file_count,
            &format!("{:.1}", measured.open.as_secs_f64() * 1e3),
            &middle,
            &high,
            &most,
            &format!("{:.2}", percentile(&mut measured.flushes, 0.5).as_secs_f64() * 1e3),
        ]);
    }
    print(&table)
}

/// Times of one table size.
#[derive(Debug)]
struct Measured {
    open: Duration,
    commits: Vec<Duration>,
    flushes: Vec<Duration>,
}

pub(crate) async fn open(folder: &Path) -> Result<Arc<Engine>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Store::open_local(folder).await?;
    Ok(Engine::open(store, EngineOptions::default(), clock).await?)
}

/// One short life of an engine: a row, a flush, an orderly end.
pub(crate) async fn flush_rows(folder: &Path, rows: usize) -> Result<()> {
    let engine = open(folder).await?;
    let batch = events::batches(rows, 1, HOUR_MICROS, 0, 1)?.remove(0);
    engine.append(&events::table(), &batch).await?.wait().await?;
    engine.shutdown().await?;
    Ok(())
}

async fn measure(folder: &Path, flushes: usize, handle: &PrometheusHandle) -> Result<Measured> {
    let started = Instant::now();
    let engine = open(folder).await?;
    let mut measured = Measured { open: started.elapsed(), commits: vec![], flushes: vec![] };
    for batch in events::batches(1, flushes, HOUR_MICROS, 0, 1)? {
        engine.append(&events::table(), &batch).await?.wait().await?;
        let before = Scrape::parse(&handle.render());
        let started = Instant::now();
        engine.flush().await?;
        measured.flushes.push(started.elapsed());
        let spent = Scrape::parse(&handle.render()).since(&before, "hexflight_flush_commit_seconds_sum");
        measured.commits.push(Duration::from_secs_f64(spent.max(0.0)));
    }
    engine.shutdown().await?;
    Ok(measured)
}

/// Puts a log version with `count` files, each described as the one that was flushed. They need not exist: a commit touches
/// the log and its own files only. `change` may change what the statistics say of the file of an index.
pub(crate) fn add_files(folder: &Path, count: usize, change: impl Fn(usize, &mut Value)) -> Result<()> {
    let log = folder.join("tables/events/_delta_log");
    let mut versions: Vec<PathBuf> =
        fs::read_dir(&log)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    versions.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    versions.sort_unstable();
    let newest = fs::read_to_string(versions.last().context("the table has no log")?)?;
    let add = newest.lines().find(|line| line.contains("\"add\"")).context("the flush added no file")?;
    let mut add: Value = serde_json::from_str(add)?;
    let statistics: Value = serde_json::from_str(add["add"]["stats"].as_str().context("no statistics")?)?;
    let mut lines =
        String::from("{\"commitInfo\":{\"timestamp\":0,\"operation\":\"WRITE\",\"engineInfo\":\"bench\"}}\n");
    for index in 0..count {
        add["add"]["path"] = Value::from(format!("2026-01-01/00-{index:032}.parquet"));
        let mut statistics = statistics.clone();
        change(index, &mut statistics);
        add["add"]["stats"] = Value::from(statistics.to_string());
        lines.push_str(&add.to_string());
        lines.push('\n');
    }
    fs::write(log.join(format!("{:020}.json", versions.len())), lines)?;
    Ok(())
}
