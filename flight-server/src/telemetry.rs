//! Logs and metrics: the one place that installs a subscriber and a recorder, and the names of the metrics this crate emits.

use std::{
    io::IsTerminal as _,
    sync::OnceLock,
    time::{Duration, Instant},
};

use hexflight_engine::Budget;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use parking_lot::RwLock;
use tracing_subscriber::EnvFilter;

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
            describe();
            handle
        })
        .clone()
}

fn describe() {
    metrics::describe_counter!(INGEST_ROWS, "rows made durable over Flight and HTTP");
    metrics::describe_counter!(INGEST_BATCHES, "batches made durable over Flight");
    metrics::describe_counter!(INGEST_BYTES, "bytes of the messages of durable batches");
    metrics::describe_histogram!(INGEST_ACK_SECONDS, "time from reading a batch to its acknowledgement");
    metrics::describe_counter!(QUERY_COUNT, "queries started");
    metrics::describe_histogram!(QUERY_SECONDS, "time from DoGet to the end of its result");
    metrics::describe_gauge!(QUERY_RUNNING, "queries running now");
    metrics::describe_gauge!("hexflight_query_queued", "queries that wait for their turn, by lane");
    metrics::describe_histogram!(
        "hexflight_query_queue_seconds",
        "time that queries waited for their turn, by lane"
    );
    metrics::describe_counter!(
        "hexflight_query_queue_refusals_total",
        "queries that were refused because too many waited, or for too long, by lane"
    );
    metrics::describe_counter!(
        "hexflight_query_memory_ends_total",
        "queries that were ended to free memory, by cause"
    );
    metrics::describe_counter!(
        "hexflight_query_long_turns_total",
        "polls of queries that kept their thread for more than a second"
    );
    metrics::describe_gauge!(
        "hexflight_memory_process_bytes",
        "memory of the whole process as the system counts it (Linux)"
    );
    metrics::describe_counter!(QUERY_ROWS, "rows sent to clients");
    metrics::describe_gauge!(MEMORY_USED, "memory reserved by ingest, generations and queries");
    metrics::describe_gauge!(MEMORY_LIMIT, "limit on that memory");
    metrics::describe_gauge!(INGEST_WAITING, "batches that wait for memory");
    metrics::describe_counter!(REQUEST_ERRORS, "calls that ended with an error, by gRPC code");
    describe_upkeep();
    describe_aggregates();
}

/// What queries count while they answer aggregates.
fn describe_aggregates() {
    metrics::describe_counter!(
        "hexflight_aggregate_rows_total",
        "rows that answered aggregates: from rollups, read one by one, or through the scan"
    );
    metrics::describe_counter!(
        "hexflight_cache_requests_total",
        "parts of files asked of the cache, found or not"
    );
    metrics::describe_counter!("hexflight_cache_evictions_total", "parts of files that gave way to others");
    metrics::describe_gauge!("hexflight_cache_used_bytes", "memory that cached parts of files take");
    metrics::describe_counter!(
        "hexflight_rollup_errors_total",
        "rollups that were damaged or gone; rows were read instead"
    );
    metrics::describe_counter!(
        "hexflight_file_checksum_failures_total",
        "reads of data files that were refused: their bytes are not what was written"
    );
    metrics::describe_counter!(
        "hexflight_checksum_lists_lost_total",
        "data files that were checked as a whole, because the checksums of their parts are damaged or gone"
    );
}

/// What the engine counts while it merges and deletes files.
fn describe_upkeep() {
    metrics::describe_counter!(
        "hexflight_compact_rewrites_total",
        "merges of data files that were committed"
    );
    metrics::describe_counter!("hexflight_compact_rows_total", "rows that merges have rewritten");
    metrics::describe_counter!("hexflight_compact_files_in_total", "data files that merges have replaced");
    metrics::describe_counter!("hexflight_compact_files_out_total", "data files that merges have made");
    metrics::describe_counter!("hexflight_compact_bytes_in_total", "bytes of the data files replaced");
    metrics::describe_counter!("hexflight_compact_bytes_out_total", "bytes of the data files made");
    metrics::describe_counter!("hexflight_compact_failures_total", "merges that failed; their rows stayed");
    metrics::describe_histogram!("hexflight_compact_seconds", "time from reading to the commit of a merge");
    metrics::describe_counter!("hexflight_vacuum_files_total", "replaced data files that were deleted");
    metrics::describe_counter!("hexflight_vacuum_failures_total", "vacuums that could not delete everything");
    metrics::describe_counter!(
        "hexflight_recovery_findings_total",
        "what starts found amiss in stored objects and went on in spite of"
    );
    metrics::describe_counter!("hexflight_quarantine_objects_total", "objects moved to quarantine/");
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
        Self { started: Instant::now() }
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
