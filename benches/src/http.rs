//! `http`: durable events per second through `POST /api/v1/events`, over keep-alive connections that each have one request on the way.

use std::{
    fmt::Write as _,
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{Float64Type, TimestampMicrosecondType},
};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use reqwest::{Client, header};
use tokio::task::JoinSet;

use crate::{
    Print, drive,
    events::{self, HOUR_MICROS},
    percentile::percentile,
    server_process::ServerProcess,
    table::Table,
};

/// Bodies of a connection that differ; it cycles through them.
const DISTINCT_BODIES: usize = 64;

/// What to send, and where.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Keep-alive connections, each with one request on the way
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Events of a request
    #[arg(long, default_value_t = 1_000)]
    rows: usize,
    /// How long to send, for example 10s
    #[arg(long, default_value = "10s", value_parser = seconds)]
    duration: Duration,
    /// How the events are written
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    /// Compress the bodies, with the system's gzip
    #[arg(long)]
    gzip: bool,
    /// Send to this server, for example http://127.0.0.1:8080, in place of one that is started for it
    #[arg(long)]
    target: Option<String>,
}

/// Form of a body.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// One event per line
    Ndjson,
    /// An array
    Json,
}

/// What the connections have seen.
#[derive(Debug, Default)]
struct Sent {
    requests: usize,
    bytes: usize,
    latencies: Vec<Duration>,
}

/// Sends for a while and says what was taken.
///
/// # Errors
/// A server does not start, or refuses a request.
pub(crate) async fn run(options: &Options, print: Print<'_>) -> Result<()> {
    ensure!(options.connections > 0 && options.rows > 0, "connections and rows must be positive");
    let parts = (0..options.connections).map(|part| bodies(options, part)).collect::<Result<Vec<_>>>()?;
    let Some(target) = &options.target else {
        let folder = tempfile::tempdir_in(".")?;
        let server = ServerProcess::start(folder.path(), &[])?;
        let cpu_before = server.cpu_time()?;
        let (sent, elapsed) = send(options, &server.http_url(), parts).await?;
        let cpu = server.cpu_time()? - cpu_before;
        let counted = drive::number(server.flight_url(), "SELECT count(*) FROM events").await?;
        let rows = sent.requests * options.rows;
        ensure!(i64::try_from(rows)? == counted, "{rows} events were acknowledged, {counted} are there");
        return print(&report(options, sent, elapsed, Some(cpu)));
    };
    let (sent, elapsed) = send(options, target, parts).await?;
    print(&report(options, sent, elapsed, None))
}

fn report(options: &Options, mut sent: Sent, elapsed: Duration, cpu: Option<Duration>) -> Table {
    let seconds = elapsed.as_secs_f64();
    let events = (sent.requests * options.rows) as f64;
    let packed = if options.gzip { ", gzip" } else { "" };
    let header =
        ["connections", "rows", "events/s", "requests/s", "MB/s sent", "p50 ms", "p99 ms", "server CPU s/M"];
    let mut table = Table::new(format!("durable events over HTTP, {:?}{packed}", options.format), &header);
    let mut latency = |share| format!("{:.2}", percentile(&mut sent.latencies, share).as_secs_f64() * 1e3);
    table.row(&[
        &options.connections,
        &options.rows,
        &format!("{:.0}", events / seconds),
        &format!("{:.0}", sent.requests as f64 / seconds),
        &format!("{:.1}", sent.bytes as f64 / 1e6 / seconds),
        &latency(0.5),
        &latency(0.99),
        &cpu.map_or_else(|| "unknown".to_owned(), |cpu| format!("{:.2}", cpu.as_secs_f64() * 1e6 / events)),
    ]);
    table
}

async fn send(options: &Options, target: &str, parts: Vec<Vec<Bytes>>) -> Result<(Sent, Duration)> {
    let url = format!("{}/api/v1/events", target.trim_end_matches('/'));
    let started = Instant::now();
    let mut connections = JoinSet::new();
    for bodies in parts {
        connections.spawn(connection(url.clone(), headers(options), bodies, started + options.duration));
    }
    let mut all = Sent::default();
    while let Some(ended) = connections.join_next().await {
        let sent = ended??;
        all.requests += sent.requests;
        all.bytes += sent.bytes;
        all.latencies.extend(sent.latencies);
    }
    Ok((all, started.elapsed()))
}

/// One client each: a client shares its connections, and four would become one under HTTP/2.
async fn connection(
    url: String,
    headers: header::HeaderMap,
    bodies: Vec<Bytes>,
    until: Instant,
) -> Result<Sent> {
    let client = Client::builder().http1_only().tcp_nodelay(true).default_headers(headers).build()?;
    let mut sent = Sent::default();
    for body in bodies.iter().cycle() {
        let started = Instant::now();
        if started >= until {
            break;
        }
        let answer = client.post(&url).body(body.clone()).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status == 200, "{url} answers {status}: {text}");
        sent.requests += 1;
        sent.bytes += body.len();
        sent.latencies.push(started.elapsed());
    }
    Ok(sent)
}

fn headers(options: &Options) -> header::HeaderMap {
    let mut headers = header::HeaderMap::new();
    let media_type = match options.format {
        Format::Ndjson => "application/x-ndjson",
        Format::Json => "application/json",
    };
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(media_type));
    if options.gzip {
        headers.insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
    }
    headers
}

/// The bodies of one connection, which has its own part of the fleet.
fn bodies(options: &Options, part: usize) -> Result<Vec<Bytes>> {
    let batches = events::batches(options.rows, DISTINCT_BODIES, HOUR_MICROS, part, options.connections)?;
    let body = |batch: &RecordBatch| {
        let lines = written(batch)?;
        let text = match options.format {
            Format::Ndjson => lines.join("\n"),
            Format::Json => format!("[{}]", lines.join(",")),
        };
        if options.gzip { gzip(text.into_bytes()) } else { Ok(Bytes::from(text)) }
    };
    batches.iter().map(body).collect()
}

/// Events as JSON objects.
fn written(batch: &RecordBatch) -> Result<Vec<String>> {
    let column = |name: &str| batch.column_by_name(name).with_context(|| format!("no column {name}"));
    let timestamps = column("timestamp")?.as_primitive::<TimestampMicrosecondType>();
    let (device_ids, types) = (column("device_id")?.as_string::<i32>(), column("type")?.as_string::<i32>());
    let values = column("value")?.as_primitive::<Float64Type>();
    let latitudes = column("latitude")?.as_primitive::<Float64Type>();
    let longitudes = column("longitude")?.as_primitive::<Float64Type>();
    let metadata = column("metadata")?.as_string::<i32>();
    let event = |row: usize| {
        let micros = timestamps.value(row);
        let mut text = format!(
            r#"{{"timestamp":{}.{:06},"device_id":{},"type":{},"value":{}"#,
            micros / 1_000_000,
            micros % 1_000_000,
            serde_json::to_string(device_ids.value(row))?,
            serde_json::to_string(types.value(row))?,
            serde_json::to_string(&values.value(row))?,
        );
        if latitudes.is_valid(row) {
            let (latitude, longitude) = (latitudes.value(row), longitudes.value(row));
            write!(text, r#","location":{{"latitude":{latitude},"longitude":{longitude}}}"#)?;
        }
        if metadata.is_valid(row) {
            write!(text, r#","metadata":{}"#, metadata.value(row))?;
        }
        text.push('}');
        Ok(text)
    };
    (0..batch.num_rows()).map(event).collect()
}

fn gzip(plain: Vec<u8>) -> Result<Bytes> {
    let mut child = Command::new("gzip").arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().context("gzip has no input")?;
    // On a thread: gzip writes before it has read everything.
    let writer = std::thread::spawn(move || input.write_all(&plain));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| anyhow::anyhow!("writing to gzip panicked"))??;
    ensure!(output.status.success(), "gzip ended with {}", output.status);
    Ok(Bytes::from(output.stdout))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text).parse::<f64>().ok();
    number
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| format!("'{text}' is not a number of seconds like 10s"))
}
