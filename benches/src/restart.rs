//! `restart`: how long a server takes to answer again after SIGKILL with much of its data in the WAL only.
//!
//! A child process fills the WAL through an engine that never flushes, and is killed; then a real server starts over its folder.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use hexflight_engine::{Clock, Engine, EngineOptions, PendingAck, Store, SystemClock};

use crate::{
    Print,
    disk::folder_bytes,
    drive,
    events::{self, HOUR_MICROS},
    server_process::ServerProcess,
    table::Table,
};

/// Rows of a batch, and how many batches differ.
const BATCH_ROWS: usize = 16 << 10;
const DISTINCT_BATCHES: usize = 64;
/// Appends that wait for their acks at once.
const PENDING_MAX: usize = 16;

/// Fills a WAL of at least `wal_bytes`, kills its writer, and starts a server over it.
///
/// # Errors
/// A process does not start, or rows are missing.
pub(crate) async fn run(wal_bytes: u64, print: Print<'_>) -> Result<()> {
    let folder = tempfile::tempdir_in(".")?;
    let rows = fill_and_kill(folder.path(), wal_bytes)?;
    let found = folder_bytes(&folder.path().join("wal"))?;
    let server = ServerProcess::start(folder.path(), &[])?;
    let ready = server.ready_after();
    let started = Instant::now();
    let counted = drive::number(server.flight_url(), "SELECT count(*) FROM events").await?;
    let answered = started.elapsed();
    ensure!(counted == rows, "{rows} rows were acknowledged, {counted} are there");
    let memory = server.memory()?;
    let started = Instant::now();
    server.stop()?;
    let mut table = Table::new("restart after SIGKILL", &["what", "value"]);
    let seconds = |time: Duration| format!("{:.2}", time.as_secs_f64());
    let mib = |bytes: u64| format!("{:.0}", bytes as f64 / f64::from(1 << 20));
    table.row(&[&"WAL, MiB", &mib(found)]);
    table.row(&[&"rows in it", &rows]);
    table.row(&[&"rows counted after", &counted]);
    table.row(&[&"start to ready, s", &seconds(ready)]);
    table.row(&[&"first count(*), s", &seconds(answered)]);
    table.row(&[&"peak memory until then, MiB", &mib(memory.peak)]);
    table.row(&[&"flush of all at SIGTERM, s", &seconds(started.elapsed())]);
    print(&table)
}

/// The child's part: appends until the WAL is large enough, says how many rows are durable, and waits to be killed.
///
/// # Errors
/// What the engine says.
pub(crate) async fn fill(folder: &Path, wal_bytes: u64, print: Print<'_>) -> Result<()> {
    let options = EngineOptions {
        memory_limit_bytes: 1 << 40,
        generation_rows_max: usize::MAX,
        generation_bytes_max: usize::MAX,
        flush_interval: Duration::from_hours(24),
        ..EngineOptions::default()
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let engine = Engine::open(Store::open_local(folder).await?, options, clock).await?;
    let batches = events::batches(BATCH_ROWS, DISTINCT_BATCHES, HOUR_MICROS, 0, 1)?;
    let mut rows = 0;
    while folder_bytes(&folder.join("wal"))? < wal_bytes {
        for some in batches.chunks(PENDING_MAX) {
            let mut pending: Vec<PendingAck> = vec![];
            for batch in some {
                pending.push(engine.append(&events::table(), batch).await?);
            }
            for ack in pending {
                rows += ack.wait().await?.rows;
            }
        }
    }
    print(&rows)?;
    std::future::pending().await
}

fn fill_and_kill(folder: &Path, wal_bytes: u64) -> Result<i64> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["fill", "--wal-bytes", &wal_bytes.to_string()])
        .arg("--folder")
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().context("the child's output is not piped")?;
    let mut line = String::new();
    let read = BufReader::new(stdout).read_line(&mut line);
    // SIGKILL: whatever it was about to do, it does not.
    child.kill()?;
    child.wait()?;
    read?;
    line.trim().parse().context("the child did not say how many rows it wrote")
}
