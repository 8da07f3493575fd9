//! `hexflight demo`: the main job from end to end on one machine, with every answer checked.
//!
//! ```text
//! EmbeddedServer ◄── run_load (Flight DoPut) ──► Ledger
//!        ▲                                          │
//!        └──── Tally: four questions (Flight SQL) ◄─┘ compare
//!        stop, start on the same directory, ask again
//! ```

mod args;
mod server;
mod ingest;
mod question;
mod verdict;
mod tally;

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hexflight_engine::{Clock, SystemClock};
use tokio_util::sync::CancellationToken;

use self::{
    question::{Question, Subject, Window},
    server::EmbeddedServer,
    tally::Tally,
};
use crate::{
    client::Client,
    console::{self, CliError, grouped, millis},
    simulate::{
        Fleet, GeoBox, Ledger, LoadObservers, LoadStats, LoadTotals, Metric, TimeSlice, per_second, run_load,
    },
};

pub use args::DemoArgs;

const SECOND_MICROS: i64 = 1_000_000;

/// Around the centre of Paris.
const PARIS: GeoBox = GeoBox { south: 48.80, west: 2.25, north: 48.92, east: 2.45 };

/// From Auckland and Suva across the antimeridian to Apia and Honolulu.
const PACIFIC: GeoBox = GeoBox { south: -45.0, west: 170.0, north: 30.0, east: -150.0 };

/// Runs the command.
///
/// # Errors
/// `Checks` when any answer differs from the simulator's own count; others when a part of the demo does not work at all.
pub async fn run(args: DemoArgs) -> Result<(), CliError> {
    let directory = tempfile::Builder::new()
        .prefix("hexflight-demo-")
        .tempdir()
        .map_err(|source| CliError::Io { action: "make a temporary directory".to_owned(), source })?;
    let mut tally = Tally::default();
    let server = EmbeddedServer::start(directory.path()).await?;
    console::say("Hexflight demo: events in through Arrow Flight, four questions through Flight SQL, a restart.")?;
    console::say("Every answer is compared with a count that the simulator keeps by itself.")?;
    say_server(&server, directory.path())?;

    let fleet = Arc::new(Fleet::new(&args.workload()));
    let client = Client::connect(&server.flight_url()).await?;
    let (ledger, load) = ingest_events(&args, &server, &client, &fleet, &mut tally).await?;

    console::say("\nThe four questions")?;
    let questions = questions(&ledger, &fleet);
    for question in &questions {
        tally.ask_in_full(&client, question, &ledger).await?;
    }
    drop(client);

    let server = restart(server, directory.path()).await?;
    let client = Client::connect(&server.flight_url()).await?;
    tally.ask_for_all(&client, &ledger).await?;
    for question in &questions {
        tally.ask_briefly(&client, question, &ledger).await?;
    }
    drop(client);
    server.stop().await?;
    summarise(&load, directory.path(), &tally)?;
    tally.result()
}

/// The four questions, each over a few windows that end with the newest event.
fn questions(ledger: &Ledger, fleet: &Fleet) -> Vec<Question> {
    // The first whole second that no event has reached.
    let end = ledger.newest_micros().map_or(0, |newest| (newest / SECOND_MICROS + 1) * SECOND_MICROS);
    let last = |name, seconds: i64| {
        let slice = TimeSlice { from_micros: end - seconds * SECOND_MICROS, to_micros: end };
        Window { name, slice }
    };
    let (minute, ten_minutes) = (last("last minute", 60), last("last 10 minutes", 600));
    let always = Window { name: "all time", slice: TimeSlice::ALWAYS };
    let device = fleet.devices().first().map_or(String::new(), |device| device.id.to_string());
    let average = Subject::DeviceAverage(device, Metric::Temperature);
    let paris = Subject::AreaAverage("Paris", PARIS, Metric::Temperature);
    let pacific = Subject::AreaAverage("the Pacific, on both sides of the antimeridian", PACIFIC, Metric::Humidity);
    [
        (Subject::Summary(Metric::Temperature), vec![minute, ten_minutes, always]),
        (average, vec![ten_minutes, always]),
        (Subject::TopDevices(5, Metric::Humidity), vec![minute, always]),
        (paris, vec![ten_minutes, always]),
        (pacific, vec![minute, always]),
    ]
    .into_iter()
    .flat_map(|(subject, windows)| {
        windows.into_iter().map(move |window| Question { subject: subject.clone(), window })
    })
    .collect()
}

/// Streams the events in; returns what was acknowledged and how fast.
async fn ingest_events(
    args: &DemoArgs,
    server: &EmbeddedServer,
    client: &Client,
    fleet: &Arc<Fleet>,
    tally: &mut Tally,
) -> Result<(Ledger, Ingested), CliError> {
    console::say(&format!(
        "\nIngest: {} events of {} devices in real cities, some moving, some late, seed {}",
        grouped(args.rows as u64),
        grouped(args.devices as u64),
        args.seed
    ))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let stats = Arc::new(LoadStats::default());
    let ledger = Arc::new(Mutex::new(Ledger::new(Arc::clone(fleet))));
    let observers = LoadObservers {
        stats: Arc::clone(&stats),
        ledger: Some(Arc::clone(&ledger)),
        stop: CancellationToken::new(),
    };
    let started = Instant::now();
    let load = run_load(args.load_plan(server.flight_url()), fleet, &clock, clock.now_micros(), &observers);
    let watched = ingest::watch(load, client, &stats, &ledger).await?;
    let elapsed = started.elapsed();
    drop(observers);
    let ledger = ingest::take_back(ledger)?;
    let ingested = Ingested { totals: stats.totals(), elapsed };
    console::say(&format!("  {}", ingested.text()))?;
    let praise = format!(
        "{} counts asked meanwhile: each held every event acknowledged before it was asked",
        watched.counts
    );
    tally.say_verdict(watched.difference.map_or(Ok(()), Err), &praise)?;
    tally.ask_for_all(client, &ledger).await?;
    Ok((ledger, ingested))
}

/// How the ingest went.
#[derive(Debug)]
struct Ingested {
    totals: LoadTotals,
    elapsed: Duration,
}

impl Ingested {
    fn text(&self) -> String {
        format!(
            "{} events durable in {:.1} s: {} events/s, acks p50 {} p99 {}",
            grouped(self.totals.acked_rows),
            self.elapsed.as_secs_f64(),
            grouped(per_second(self.totals.acked_rows, self.elapsed)),
            millis(self.totals.ack_p50),
            millis(self.totals.ack_p99)
        )
    }
}

async fn restart(server: EmbeddedServer, data_dir: &Path) -> Result<EmbeddedServer, CliError> {
    console::say("\nRestart: the server stops and starts again on the same directory")?;
    let stopping = Instant::now();
    server.stop().await?;
    let starting = Instant::now();
    let server = EmbeddedServer::start(data_dir).await?;
    console::say(&format!(
        "  stopped in {}, ready again in {}",
        millis(starting - stopping),
        millis(starting.elapsed())
    ))?;
    Ok(server)
}

fn say_server(server: &EmbeddedServer, data_dir: &Path) -> Result<(), CliError> {
    console::say(&format!("\nServer: Flight on {}, data in {}", server.flight_url(), data_dir.display()))
}

fn summarise(load: &Ingested, data_dir: &Path, tally: &Tally) -> Result<(), CliError> {
    let parquet_bytes = parquet_bytes(data_dir)
        .map_err(|source| CliError::Io { action: format!("read {}", data_dir.display()), source })?;
    let rows = load.totals.acked_rows;
    console::say("\nSummary")?;
    console::say(&format!("  ingest   {}", load.text()))?;
    console::say(&format!(
        "  on disk  {:.1} bytes per event ({:.1} MB of Parquet)",
        parquet_bytes as f64 / rows.max(1) as f64,
        parquet_bytes as f64 / 1e6
    ))?;
    console::say(&format!("  checks   {}", tally.text()))
}

/// Bytes of all Parquet files below `directory`.
fn parquet_bytes(directory: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            bytes += parquet_bytes(&entry.path())?;
        } else if entry.path().extension().is_some_and(|extension| extension == "parquet") {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}
