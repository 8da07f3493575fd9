//! Every metric of the process: the one place that describes them. `docs/metrics.md` is written from it, and a test looks for names in the
//! code that are missing here.

/// What a metric counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts of observations below each of several edges.
    Histogram,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// `hexflight_` + object, event, unit.
    pub name: &'static str,
    /// See [`MetricKind`].
    pub kind: MetricKind,
    /// Names of its labels, or nothing.
    pub labels: &'static str,
    /// What it says, as a sentence.
    pub text: &'static str,
}

const fn counter(name: &'static str, labels: &'static str, text: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Counter, labels, text }
}

const fn gauge(name: &'static str, labels: &'static str, text: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Gauge, labels, text }
}

const fn histogram(name: &'static str, labels: &'static str, text: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Histogram, labels, text }
}

/// All metrics, in the order of their names.
pub static METRICS: [Metric; 74] = [
    counter(
        "hexflight_aggregate_rows_total",
        "source",
        "Rows that answered aggregates: from rollups, read one by one, or through the scan.",
    ),
    counter("hexflight_cache_evictions_total", "part", "Parts of files that gave way to others."),
    counter(
        "hexflight_cache_requests_total",
        "part, result",
        "Parts of files asked of the cache, found or not.",
    ),
    gauge("hexflight_cache_used_bytes", "", "Memory that cached parts of files take."),
    counter(
        "hexflight_checksum_lists_lost_total",
        "",
        "Data files that were checked as a whole, because the checksums of their parts are damaged or gone.",
    ),
    counter("hexflight_compact_bytes_in_total", "", "Bytes of the data files that merges have replaced."),
    counter("hexflight_compact_bytes_out_total", "", "Bytes of the data files that merges have made."),
    counter("hexflight_compact_failures_total", "", "Merges that failed; their rows stayed where they were."),
    counter("hexflight_compact_files_in_total", "", "Data files that merges have replaced."),
    counter("hexflight_compact_files_out_total", "", "Data files that merges have made."),
    counter("hexflight_compact_rewrites_total", "", "Merges of data files that were committed."),
    counter("hexflight_compact_rows_total", "", "Rows that merges have rewritten."),
    histogram("hexflight_compact_seconds", "", "Time from reading to the commit of a merge."),
    counter(
        "hexflight_file_checksum_failures_total",
        "",
        "Reads of data files that were refused: their bytes are not what was written.",
    ),
    counter(
        "hexflight_flush_bytes_total",
        "",
        "Bytes of the data files and rollups that flushes have written.",
    ),
    histogram("hexflight_flush_commit_seconds", "", "Time that the Delta commit of a flush took."),
    histogram("hexflight_flush_encode_seconds", "", "Time that encoding one data file of a flush took."),
    counter("hexflight_flush_files_total", "", "Data files that flushes have committed."),
    counter("hexflight_flush_rows_total", "", "Rows that flushes have committed."),
    histogram("hexflight_flush_seconds", "", "Time from encoding to the commit of one flush."),
    histogram("hexflight_import_commit_seconds", "", "Time that the Delta commit of a load took."),
    histogram("hexflight_import_encode_seconds", "", "Time that encoding one data file of a load took."),
    counter("hexflight_import_files_total", "", "Data files that loads have written."),
    histogram(
        "hexflight_import_normalise_seconds",
        "",
        "Time that bringing one batch of a load into the schema took.",
    ),
    histogram("hexflight_import_put_seconds", "", "Time that putting one data file of a load took."),
    histogram(
        "hexflight_import_read_seconds",
        "",
        "Time that collecting the rows of one part of a load took, from memory and from the scratch file.",
    ),
    counter("hexflight_import_rows_total", "", "Rows that loads have taken."),
    histogram("hexflight_import_seconds", "", "Time from the commit message of a load to its Delta commit."),
    histogram("hexflight_import_sort_seconds", "", "Time that sorting one part of a load took."),
    histogram(
        "hexflight_import_spill_seconds",
        "",
        "Time that one spill of a load into the scratch file took.",
    ),
    counter("hexflight_import_spilled_bytes_total", "", "Bytes that loads have spilled into scratch files."),
    histogram(
        "hexflight_import_spread_seconds",
        "",
        "Time that spreading one batch of a load over time buckets took.",
    ),
    histogram("hexflight_ingest_ack_seconds", "", "Time from reading a batch to its acknowledgement."),
    counter("hexflight_ingest_batches_total", "", "Batches made durable over Flight and HTTP."),
    counter("hexflight_ingest_bytes_total", "", "Bytes of the messages of durable batches."),
    counter("hexflight_ingest_h3_hits_total", "", "Positions whose H3 cell was remembered."),
    counter("hexflight_ingest_h3_misses_total", "", "Positions whose H3 cell was computed."),
    histogram("hexflight_ingest_normalise_seconds", "", "Time that bringing one batch into the schema took."),
    counter("hexflight_ingest_rows_total", "", "Rows made durable over Flight and HTTP."),
    gauge("hexflight_ingest_waiting", "", "Batches that wait for memory."),
    gauge(
        "hexflight_memory_held_bytes",
        "holder",
        "Reserved memory by who holds it: events on their way to files, queries, flushed rows that they still read, small queries, and the work of sealing and encoding.",
    ),
    gauge("hexflight_memory_limit_bytes", "", "Limit on the memory of ingest, generations and queries."),
    gauge(
        "hexflight_memory_process_bytes",
        "",
        "Memory of the whole process as the system counts it (Linux).",
    ),
    gauge("hexflight_memory_used_bytes", "", "Memory reserved by ingest, generations and queries."),
    counter("hexflight_quarantine_objects_total", "", "Objects moved to quarantine/."),
    counter(
        "hexflight_query_long_turns_total",
        "",
        "Polls of queries that kept their thread for more than a second.",
    ),
    counter("hexflight_query_memory_ends_total", "cause", "Queries that were ended to free memory."),
    counter("hexflight_query_memory_refusals_total", "", "Reservations of queries that found no memory."),
    histogram("hexflight_query_plan_seconds", "", "Time that planning a query took."),
    counter(
        "hexflight_query_queue_refusals_total",
        "lane",
        "Queries that were refused because too many waited, or for too long.",
    ),
    histogram("hexflight_query_queue_seconds", "lane", "Time that queries waited for their turn."),
    gauge("hexflight_query_queued", "lane", "Queries that wait for their turn."),
    counter(
        "hexflight_query_repeats_total",
        "way",
        "Queries that ran again: as large ones, alone, or with shorter batches.",
    ),
    counter("hexflight_query_rows_total", "", "Rows sent to clients."),
    gauge("hexflight_query_running", "", "Queries running now."),
    histogram("hexflight_query_seconds", "", "Time from the request of a query to the end of its result."),
    counter("hexflight_query_started_total", "", "Queries started."),
    counter(
        "hexflight_query_statements_total",
        "cache",
        "Statements planned, with a remembered plan or not.",
    ),
    counter(
        "hexflight_recovery_findings_total",
        "",
        "What starts found amiss in stored objects and went on in spite of.",
    ),
    counter("hexflight_request_errors_total", "code", "Calls that ended with an error, by gRPC code."),
    gauge("hexflight_reserve_bytes", "", "Disk space kept free for flushes."),
    counter(
        "hexflight_reserve_given_up_total",
        "",
        "Times that this space was given up because the disk was full.",
    ),
    counter(
        "hexflight_rollup_errors_total",
        "",
        "Rollups that were damaged or gone; rows were read instead.",
    ),
    counter(
        "hexflight_scan_memory_rows_skipped_total",
        "",
        "Rows of batches in memory that scans left out without reading them.",
    ),
    counter(
        "hexflight_scan_prune_errors_total",
        "",
        "Parts of predicates that could not be used for pruning; more was read.",
    ),
    counter(
        "hexflight_scan_sources_pruned_total",
        "source, cause",
        "Files and batches in memory that scans did not read.",
    ),
    counter(
        "hexflight_scan_sources_total",
        "source",
        "Files and batches in memory that snapshots of scans held.",
    ),
    histogram("hexflight_seal_seconds", "", "Time that sorting one generation in memory took."),
    counter("hexflight_vacuum_failures_total", "", "Vacuums that could not delete everything."),
    counter("hexflight_vacuum_files_total", "", "Replaced data files that were deleted."),
    counter("hexflight_wal_bytes_total", "", "Bytes of the objects put into the write-ahead log."),
    histogram("hexflight_wal_commit_seconds", "", "Time that encoding and putting one group commit took."),
    counter("hexflight_wal_commits_total", "", "Group commits that became visible."),
    counter(
        "hexflight_wal_put_failures_total",
        "",
        "Attempts to put an object into the write-ahead log that failed.",
    ),
];

/// Describes them all to the recorder.
pub(crate) fn describe() {
    for metric in METRICS {
        match metric.kind {
            MetricKind::Counter => metrics::describe_counter!(metric.name, metric.text),
            MetricKind::Gauge => metrics::describe_gauge!(metric.name, metric.text),
            MetricKind::Histogram => metrics::describe_histogram!(metric.name, metric.text),
        }
    }
}
