//! Metrics of a scan: what was pruned and why is known when it is planned, the rest is counted while it runs.

use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder, MetricValue, MetricsSet, Time,
};

use super::prune_sources::{Kept, PruneCounts};
use crate::prune::CAUSES;

/// Counters of the memory part of one partition.
#[derive(Debug, Clone)]
pub(super) struct MemoryMetrics {
    /// Rows that were looked at.
    pub(super) rows: Count,
    /// Slices that a dynamic filter excluded.
    pub(super) slices_pruned_dynamic: Count,
    /// The scan's own: time spent filtering and joining.
    pub(super) elapsed_compute: Time,
}

impl MemoryMetrics {
    pub(super) fn new(
        metrics: &ExecutionPlanMetricsSet,
        baseline: &BaselineMetrics,
        partition: usize,
    ) -> Self {
        Self {
            rows: MetricBuilder::new(metrics).counter("memory_rows_read", partition),
            slices_pruned_dynamic: MetricBuilder::new(metrics)
                .counter("memory_slices_pruned_dynamic", partition),
            elapsed_compute: baseline.elapsed_compute().clone(),
        }
    }
}

/// Publishes what pruning found, in the plan's metrics and in the process's.
pub(super) fn record_pruning(metrics: &ExecutionPlanMetricsSet, kept: &Kept) {
    record(metrics, "files", &kept.file_counts);
    record(metrics, "memory_batches", &kept.memory_counts);
    let skipped = kept.memory.iter().map(|kept| kept.batch.zone().row_count - kept.row_count()).sum();
    MetricBuilder::new(metrics).global_counter("memory_rows_skipped").add(skipped);
    metrics::counter!("hexflight_scan_memory_rows_skipped_total").increment(skipped as u64);
}

fn record(metrics: &ExecutionPlanMetricsSet, source: &'static str, counts: &PruneCounts) {
    MetricBuilder::new(metrics).global_counter(format!("{source}_total")).add(counts.total);
    metrics::counter!("hexflight_scan_sources_total", "source" => source).increment(counts.total as u64);
    for cause in CAUSES {
        let pruned = counts.pruned.get(&cause).copied().unwrap_or_default();
        MetricBuilder::new(metrics).global_counter(format!("{source}_pruned_{cause}")).add(pruned);
        metrics::counter!(
            "hexflight_scan_sources_pruned_total", "source" => source, "cause" => cause.to_string()
        )
        .increment(pruned as u64);
    }
}

/// Adds the Parquet reader's metrics, without those that count the same rows and time as the scan's own.
pub(super) fn with_reader_metrics(mut own: MetricsSet, reader: Option<MetricsSet>) -> MetricsSet {
    let counted_here = |value: &MetricValue| {
        matches!(
            value,
            MetricValue::OutputRows(_)
                | MetricValue::OutputBytes(_)
                | MetricValue::OutputBatches(_)
                | MetricValue::ElapsedCompute(_)
                | MetricValue::StartTimestamp(_)
                | MetricValue::EndTimestamp(_)
        )
    };
    for metric in reader.iter().flat_map(MetricsSet::iter) {
        if !counted_here(metric.value()) {
            own.push(std::sync::Arc::clone(metric));
        }
    }
    own
}
