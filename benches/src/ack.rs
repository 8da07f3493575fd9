//! `ack`: how long one producer waits for each of its small batches, beside what the disk takes for the same bytes.

use std::{
    fs::File,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    Print,
    drive::drive,
    events::{self, HOUR_MICROS},
    noop::NoopServer,
    percentile::percentile,
    server_process::ServerProcess,
    table::Table,
};

/// Rows of a batch.
const BATCH_ROWS: usize = 1_000;
/// Batches that differ.
const DISTINCT_BATCHES: usize = 200;

/// Sends `batch_count` batches one after the other.
///
/// # Errors
/// The server does not start, or refuses a batch.
pub(crate) async fn run(batch_count: usize, print: Print<'_>) -> Result<()> {
    let folder = tempfile::tempdir_in(".")?;
    let parts = [events::batches(BATCH_ROWS, DISTINCT_BATCHES, HOUR_MICROS, 0, 1)?];
    let bytes = parts[0][0].get_array_memory_size();
    let mut table = Table::new(
        "ack latency, one producer, 1,000-row batches, one on the way (ms)",
        &["what", "p50", "p95", "p99", "max"],
    );
    let mut add = |what: &str, mut times: Vec<Duration>| {
        let mut cell = |share| format!("{:.2}", percentile(&mut times, share).as_secs_f64() * 1e3);
        table.row(&[&what, &cell(0.5), &cell(0.95), &cell(0.99), &cell(1.0)]);
    };
    add("disk: write, fsync, link, fsync the folder", disk(folder.path(), bytes, batch_count.min(500))?);
    let noop = NoopServer::start().await?;
    add("no-op server", drive(&noop.url(), &parts, batch_count * BATCH_ROWS, 1).await?.latencies);
    let server = ServerProcess::start(folder.path(), &[])?;
    add("hexflight", drive(server.flight_url(), &parts, batch_count * BATCH_ROWS, 1).await?.latencies);
    print(&table)
}

/// What durability costs at least: the same bytes written the way the store does.
fn disk(folder: &Path, bytes: usize, count: usize) -> Result<Vec<Duration>> {
    let folder = tempfile::tempdir_in(folder.parent().unwrap_or(folder))?;
    let staged = folder.path().join("staged");
    let content = vec![7_u8; bytes];
    let mut times = vec![];
    for index in 0..count {
        let started = Instant::now();
        let mut file = File::create(&staged)?;
        file.write_all(&content)?;
        file.sync_all()?;
        std::fs::hard_link(&staged, folder.path().join(index.to_string()))?;
        std::fs::remove_file(&staged)?;
        File::open(folder.path())?.sync_all()?;
        times.push(started.elapsed());
    }
    Ok(times)
}
