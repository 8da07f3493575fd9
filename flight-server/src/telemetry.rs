//! Logs and metrics: the one place that installs a subscriber and a recorder.

use std::{io::IsTerminal as _, sync::OnceLock, time::Duration};

use hexflight_engine::{
    Budget,
    time::{self, Instant},
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use parking_lot::RwLock;
use tracing_subscriber::EnvFilter;

use crate::metric_list;

/// Rows acknowledged over Flight and HTTP.
const INGEST_ROWS: &str = "hexflight_ingest_rows_total";
/// Batches acknowledged over Flight and HTTP.
const INGEST_BATCHES: &str = "hexflight_ingest_batches_total";
/// Bytes of the messages whose batches were taken over for the WAL.
const INGEST_BYTES: &str = "hexflight_ingest_bytes_total";
/// Time from reading a batch to its ack.
const INGEST_ACK_SECONDS: &str = "hexflight_ingest_ack_seconds";
/// Queries started.
const QUERY_COUNT: &str = "hexflight_query_started_total";
/// Time from `DoGet` to the end of its stream.
const QUERY_SECONDS: &str = "hexflight_query_seconds";
/// Queries running now.
const QUERY_RUNNING: &str = "hexflight_query_running";
/// Rows sent to clients.
const QUERY_ROWS: &str = "hexflight_query_rows_total";
/// Memory reserved by ingest, generations and queries.
const MEMORY_USED: &str = "hexflight_memory_used_bytes";
/// The same by who has reserved it.
const MEMORY_HELD: &str = "hexflight_memory_held_bytes";
/// The budget of that memory.
const MEMORY_LIMIT: &str = "hexflight_memory_limit_bytes";
/// Appends and pushes that wait for memory.
const INGEST_WAITING: &str = "hexflight_ingest_waiting";
/// Calls that ended with an error, by gRPC code.
const REQUEST_ERRORS: &str = "hexflight_request_errors_total";

/// Upper edges of the histograms of seconds: the steps that separate "instant" from "slow" for acks and queries.
const SECONDS_BUCKETS: &[f64] =
    &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Sends log lines to stderr, filtered by `filter`. Later calls change nothing.
///
/// # Errors
/// The filter cannot be read.
pub fn init_tracing(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("log filter '{filter}': {error}"))?;
    let logger = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .finish();
    // An embedding program may have its own subscriber: that one stays.
    let _already_set = tracing::subscriber::set_global_default(logger);
    Ok(())
}

/// The process-wide recorder; installed by the first server of the process, shared by all.
pub(crate) fn prometheus() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS_BUCKETS)
                .map_or_else(
                    |_| PrometheusBuilder::new().build_recorder(),
                    PrometheusBuilder::build_recorder,
                );
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!(
                    "another metrics recorder is installed; /metrics shows nothing of this server"
                );
            }
            metric_list::describe();
            handle
        })
        .clone()
}

/// Counts a batch that became durable.
pub(crate) fn batch_acknowledged(rows: usize, bytes: usize, since_read: Duration) {
    metrics::counter!(INGEST_ROWS).increment(rows as u64);
    metrics::counter!(INGEST_BATCHES).increment(1);
    metrics::counter!(INGEST_BYTES).increment(bytes as u64);
    metrics::histogram!(INGEST_ACK_SECONDS).record(since_read.as_secs_f64());
}

/// Counts a call that ended with `status`.
pub(crate) fn request_failed(status: &tonic::Status) {
    metrics::counter!(REQUEST_ERRORS, "code" => code_name(status.code())).increment(1);
}

/// Shows the memory budget.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and bytes need no more than its 53 bits")]
pub(crate) fn memory_used(budget: &Budget) {
    metrics::gauge!(MEMORY_USED).set(budget.used() as f64);
    for (holder, bytes) in budget.held() {
        metrics::gauge!(MEMORY_HELD, "holder" => holder).set(bytes as f64);
    }
    metrics::gauge!(MEMORY_LIMIT).set(budget.limit() as f64);
    metrics::gauge!(INGEST_WAITING).set(budget.waiting() as f64);
}

/// A query that runs; counts itself out when dropped, however it ended.
#[derive(Debug)]
pub(crate) struct QueryTimer {
    started: Instant,
}

impl QueryTimer {
    pub(crate) fn start() -> Self {
        metrics::counter!(QUERY_COUNT).increment(1);
        metrics::gauge!(QUERY_RUNNING).increment(1.0);
        Self { started: time::now() }
    }

    pub(crate) fn rows_sent(&self, rows: usize) {
        metrics::counter!(QUERY_ROWS).increment(rows as u64);
    }
}

impl Drop for QueryTimer {
    fn drop(&mut self) {
        metrics::gauge!(QUERY_RUNNING).decrement(1.0);
        metrics::histogram!(QUERY_SECONDS).record(self.started.elapsed().as_secs_f64());
    }
}

fn code_name(code: tonic::Code) -> &'static str {
    use tonic::Code;
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "cancelled",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::Unauthenticated => "unauthenticated",
        Code::PermissionDenied => "permission_denied",
        Code::Aborted => "aborted",
        Code::ResourceExhausted => "resource_exhausted",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        _ => "other",
    }
}

/// Whether the server takes work, with the reason when it does not.
#[derive(Debug)]
pub(crate) struct Readiness(RwLock<Result<(), &'static str>>);

impl Readiness {
    /// A server that is not open yet.
    pub(crate) fn starting() -> Self {
        Self(RwLock::new(Err("starting: the engine is being opened")))
    }

    /// Says from now on that work is taken, or why not.
    pub(crate) fn set(&self, state: Result<(), &'static str>) {
        *self.0.write() = state;
    }

    pub(crate) fn get(&self) -> Result<(), &'static str> {
        *self.0.read()
    }
}
