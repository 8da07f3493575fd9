//! `memory`: what a server takes at most while many rows come in under a budget, and that none of them is missing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, ensure};

use crate::{
    Print,
    drive::{self, drive},
    events::{self, HOUR_MICROS},
    ingest::stage_times,
    scrape::Scrape,
    server_process::{ServerProcess, memory_of},
    table::Table,
};

/// Rows of a batch.
const BATCH_ROWS: usize = 64 << 10;
/// Batches that differ, per connection.
const DISTINCT_BATCHES: usize = 16;
/// Connections.
const CONNECTIONS: usize = 2;
/// Batches on the way per connection.
const IN_FLIGHT_MAX: usize = 4;
/// Pause between samples.
const SAMPLE_PAUSE: Duration = Duration::from_millis(20);
/// **Units**: bytes.
const MIB: f64 = (1 << 20) as f64;

/// Sends `rows` rows to a server with `--memory-limit limit`.
///
/// # Errors
/// The server does not start or refuses a batch, or rows are missing.
pub(crate) async fn run(rows: usize, limit: &str, print: Print<'_>) -> Result<()> {
    let folder = tempfile::tempdir_in(".")?;
    let server = ServerProcess::start(folder.path(), &["--memory-limit", limit])?;
    let parts = (0..CONNECTIONS)
        .map(|part| events::batches(BATCH_ROWS, DISTINCT_BATCHES, HOUR_MICROS, part, CONNECTIONS))
        .collect::<Result<Vec<_>>>()?;
    let empty = server.memory()?;
    let (stop, average) = sample(server.id());
    let cpu_before = server.cpu_time()?;
    let driven = drive(server.flight_url(), &parts, rows, IN_FLIGHT_MAX).await?;
    let cpu_seconds = (server.cpu_time()? - cpu_before).as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    let counted = drive::number(server.flight_url(), "SELECT count(*) FROM events").await?;
    ensure!(
        i64::try_from(driven.rows)? == counted,
        "{} rows were acknowledged, {counted} are there",
        driven.rows
    );
    let memory = server.memory()?;
    let scrape = Scrape::parse(&server.metrics()?);
    let flushed = scrape.since(&Scrape::default(), "hexflight_flush_rows_total");

    let mut table = Table::new(format!("memory under --memory-limit {limit}"), &["what", "value"]);
    table.row(&[&"rows", &driven.rows]);
    table.row(&[&"rows counted after", &counted]);
    table.row(&[&"rows in files at the end", &format!("{flushed:.0}")]);
    table.row(&[&"rows/s", &format!("{:.0}", driven.rows_per_second())]);
    table.row(&[&"CPU s per million rows", &format!("{:.2}", cpu_seconds * 1e6 / driven.rows as f64)]);
    for (stage, spent) in stage_times(&Scrape::default(), &scrape) {
        table.row(&[&format!("{stage}, ms per million rows"), &spent]);
    }
    table.row(&[&"resident when empty, MiB", &format!("{:.0}", empty.resident as f64 / MIB)]);
    table
        .row(&[&"resident on average, MiB", &format!("{:.0}", average.load(Ordering::Relaxed) as f64 / MIB)]);
    table.row(&[&"resident at the end, MiB", &format!("{:.0}", memory.resident as f64 / MIB)]);
    table.row(&[&"resident at most (VmHWM), MiB", &format!("{:.0}", memory.peak as f64 / MIB)]);
    print(&table)?;
    server.stop()
}

/// Averages the resident memory of a process until told to stop.
fn sample(id: u32) -> (Arc<AtomicBool>, Arc<AtomicU64>) {
    let (stop, average) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (stopped, result) = (Arc::clone(&stop), Arc::clone(&average));
    std::thread::spawn(move || {
        let (mut sum, mut count) = (0, 0);
        while let (false, Ok(memory)) = (stopped.load(Ordering::Relaxed), memory_of(id)) {
            sum += memory.resident;
            count += 1;
            result.store(sum / count, Ordering::Relaxed);
            std::thread::sleep(SAMPLE_PAUSE);
        }
    });
    (stop, average)
}
