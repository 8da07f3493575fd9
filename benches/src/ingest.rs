//! `ingest`: durable rows per second over Flight DoPut, beside a server that only acknowledges, and what each stage of the
//! write path costs per million rows.

use anyhow::Result;
use arrow::array::RecordBatch;

use crate::{
    Print,
    drive::{self, Driven, drive},
    events::{self, HOUR_MICROS},
    noop::NoopServer,
    scrape::Scrape,
    server_process::ServerProcess,
    table::Table,
};

/// Rows of all distinct batches together: more than a generation, so that every generation has new places and devices.
const DISTINCT_ROWS: usize = 2 << 20;

/// Rows on the way per connection, whatever the size of its batches.
const ROWS_IN_FLIGHT: usize = 256 << 10;

/// Counters of the rows that a stage has seen.
const TAKEN: &str = "hexflight_ingest_rows_total";
const FLUSHED: &str = "hexflight_flush_rows_total";

/// Stages with the histogram that times them and the rows it is divided by: flushing lags behind. Times of concurrent pieces
/// of work add up, waits for a core included.
const STAGES: [(&str, &str, &str); 7] = [
    ("normalise", "hexflight_ingest_normalise_seconds_sum", TAKEN),
    ("read to ack", "hexflight_ingest_ack_seconds_sum", TAKEN),
    ("WAL commit", "hexflight_wal_commit_seconds_sum", TAKEN),
    ("seal", "hexflight_seal_seconds_sum", FLUSHED),
    ("encode", "hexflight_flush_encode_seconds_sum", FLUSHED),
    ("commit", "hexflight_flush_commit_seconds_sum", FLUSHED),
    ("files and commit", "hexflight_flush_seconds_sum", FLUSHED),
];

/// Time of each stage between two scrapes. **Units**: ms per million rows.
pub(crate) fn stage_times(before: &Scrape, after: &Scrape) -> Vec<(&'static str, String)> {
    let time = |(stage, name, rows): (&'static str, &str, &str)| {
        let spent = after.since(before, name) * 1e9 / after.since(before, rows);
        (stage, if after.has(name) { format!("{spent:.1}") } else { String::from("no metric") })
    };
    STAGES.into_iter().map(time).collect()
}

/// Measures with `rows` rows per combination of batch size and connections, `repeats` times.
///
/// # Errors
/// A server does not start, or refuses a batch.
pub(crate) async fn run(rows: usize, repeats: usize, print: Print<'_>) -> Result<()> {
    let header = [
        "batch rows",
        "connections",
        "rows/s (median)",
        "slowest",
        "fastest",
        "no-op rows/s",
        "share",
        "CPU s/M",
    ];
    let mut speeds = Table::new("durable DoPut", &header);
    let mut stages =
        Table::new("time per stage, ms per million rows", &["batch rows", "connections", "stage", "ms"]);
    for batch_rows in [8 << 10, 64 << 10] {
        for connections in [1, 2, 4] {
            let parts = parts(batch_rows, connections)?;
            let measured = combination(batch_rows, &parts, rows, repeats).await?;
            measured.add_to(&mut speeds, &mut stages, batch_rows, connections);
        }
    }
    print(&speeds)?;
    print(&stages)
}

/// One combination of batch size and connections.
#[derive(Debug)]
struct Measured {
    /// Rows per second, sorted.
    speeds: Vec<f64>,
    noop_speed: f64,
    rows: usize,
    cpu_seconds: f64,
    before: Scrape,
    after: Scrape,
}

impl Measured {
    fn add_to(&self, speeds: &mut Table, stages: &mut Table, batch_rows: usize, connections: usize) {
        let millions = self.rows as f64 / 1e6;
        let median = self.speeds[self.speeds.len() / 2];
        speeds.row(&[
            &batch_rows,
            &connections,
            &format!("{median:.0}"),
            &format!("{:.0}", self.speeds[0]),
            &format!("{:.0}", self.speeds[self.speeds.len() - 1]),
            &format!("{:.0}", self.noop_speed),
            &format!("{:.2}", median / self.noop_speed),
            &format!("{:.2}", self.cpu_seconds / millions),
        ]);
        for (stage, spent) in stage_times(&self.before, &self.after) {
            stages.row(&[&batch_rows, &connections, &stage, &spent]);
        }
    }
}

async fn combination(
    batch_rows: usize,
    parts: &[Vec<RecordBatch>],
    rows: usize,
    repeats: usize,
) -> Result<Measured> {
    let in_flight = (ROWS_IN_FLIGHT / batch_rows).max(2);
    let noop = NoopServer::start().await?;
    let noop_speed = drive(&noop.url(), parts, rows, in_flight).await?.rows_per_second();
    let folder = tempfile::tempdir_in(".")?;
    let server = ServerProcess::start(folder.path(), &[])?;
    let before = Scrape::parse(&server.metrics()?);
    let cpu_before = server.cpu_time()?;
    let mut runs: Vec<Driven> = vec![];
    for _ in 0..repeats {
        runs.push(drive(server.flight_url(), parts, rows, in_flight).await?);
    }
    let after = Scrape::parse(&server.metrics()?);
    let cpu_seconds = (server.cpu_time()? - cpu_before).as_secs_f64();
    let sent: usize = runs.iter().map(|run| run.rows).sum();
    let counted = drive::number(server.flight_url(), "SELECT count(*) FROM events").await?;
    anyhow::ensure!(i64::try_from(sent)? == counted, "{sent} rows were acknowledged, {counted} are there");
    let mut speeds: Vec<f64> = runs.iter().map(Driven::rows_per_second).collect();
    speeds.sort_by(f64::total_cmp);
    Ok(Measured { speeds, noop_speed, rows: sent, cpu_seconds, before, after })
}

/// Batches of each connection, which has its own part of the fleet.
fn parts(batch_rows: usize, connections: usize) -> Result<Vec<Vec<RecordBatch>>> {
    let count = (DISTINCT_ROWS / batch_rows / connections).max(2);
    (0..connections).map(|part| events::batches(batch_rows, count, HOUR_MICROS, part, connections)).collect()
}
