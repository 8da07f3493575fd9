//! What answering a question took: how much came from rollups, how much from rows.

use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};

/// Counters of one run, shared by its tasks.
#[derive(Debug, Clone)]
pub(super) struct Counters {
    /// Types of files whose rows all came from a rollup.
    pub(super) segments_rollup: Count,
    /// Types of files of which rows were read, some or all.
    pub(super) segments_raw: Count,
    /// Types of files that the window or the place excluded by their rollup.
    pub(super) segments_pruned: Count,
    /// Groups taken from rollups.
    pub(super) rollup_groups: Count,
    /// Rows that those groups stand for.
    pub(super) rollup_rows: Count,
    /// Rows of files looked at one by one.
    pub(super) raw_rows: Count,
    /// Cells inside the place: their rows needed no test.
    pub(super) cells_interior: Count,
    /// Cells at the border of the place: each row was tested.
    pub(super) cells_border: Count,
    /// Cells outside the place.
    pub(super) cells_disjoint: Count,
    /// Answers that were remembered.
    pub(super) answers_remembered: Count,
    /// Files without a rollup, read by the scan.
    pub(super) files_scanned: Count,
    /// Rows in memory, and in files without a rollup, that matched.
    pub(super) scanned_rows: Count,
}

impl Counters {
    pub(super) fn new(metrics: &ExecutionPlanMetricsSet) -> Self {
        let counter = |name: &'static str| MetricBuilder::new(metrics).global_counter(name);
        Self {
            segments_rollup: counter("segments_rollup"),
            segments_raw: counter("segments_raw"),
            segments_pruned: counter("segments_pruned"),
            rollup_groups: counter("rollup_groups"),
            rollup_rows: counter("rollup_rows"),
            raw_rows: counter("raw_rows"),
            cells_interior: counter("cells_interior"),
            cells_border: counter("cells_border"),
            cells_disjoint: counter("cells_disjoint"),
            answers_remembered: counter("answers_remembered"),
            files_scanned: counter("files_scanned"),
            scanned_rows: counter("scanned_rows"),
        }
    }

    /// Publishes a run's counts in the process's metrics.
    pub(super) fn publish(&self) {
        let pairs = [
            ("rollup", self.rollup_rows.value()),
            ("raw", self.raw_rows.value()),
            ("scan", self.scanned_rows.value()),
        ];
        for (source, rows) in pairs {
            metrics::counter!("hexflight_aggregate_rows_total", "source" => source).increment(rows as u64);
        }
    }
}
