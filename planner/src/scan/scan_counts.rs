//! `ScanCounts`: what a scan has done so far, read from its metrics while it runs.

use std::ops::AddAssign;

use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};

use super::prune_sources::PruneCounts;
use crate::prune::CAUSES;

/// Work of one scan, or of several together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScanCounts {
    /// Rows looked at, in memory and in files.
    pub rows: u64,
    /// Read from files.
    pub bytes: u64,
    /// Files of the snapshot.
    pub files: u64,
    /// Files that statistics excluded.
    pub files_pruned: u64,
    /// Batches in memory of the snapshot.
    pub memory_batches: u64,
    /// Batches in memory that zone maps excluded.
    pub memory_batches_pruned: u64,
    /// Row groups of opened files that their statistics or Bloom filters excluded.
    pub row_groups_pruned: u64,
    /// Rows that rollups stood for; not among `rows`.
    pub rollup_rows: u64,
    /// Groups of rollups that were read.
    pub rollup_groups: u64,
    /// Types of files of which no row was read.
    pub segments_from_rollups: u64,
    /// Types of files of which rows were read.
    pub segments_read: u64,
    /// [`ScanCounts::files_pruned`] by cause, in the order of `CAUSES`.
    pub files_pruned_by: [u64; CAUSES.len()],
    /// [`ScanCounts::memory_batches_pruned`] by cause, in the order of `CAUSES`.
    pub memory_batches_pruned_by: [u64; CAUSES.len()],
}

impl ScanCounts {
    /// Reads the counters of the scan itself and of its Parquet reader.
    pub(super) fn of(
        files: &PruneCounts,
        memory: &PruneCounts,
        own: &MetricsSet,
        reader: Option<&MetricsSet>,
    ) -> Self {
        let mut counts = Self {
            rows: count(own, "memory_rows_read"),
            files: files.total as u64,
            files_pruned: files.pruned_total() as u64,
            memory_batches: memory.total as u64,
            memory_batches_pruned: memory.pruned_total() as u64,
            files_pruned_by: files.by_cause(),
            memory_batches_pruned_by: memory.by_cause(),
            ..Self::default()
        };
        if let Some(reader) = reader {
            // With a predicate, rows leave the reader filtered; what it looked at is then counted by the filter.
            let filtered = count(reader, "pushdown_rows_matched") + count(reader, "pushdown_rows_pruned");
            counts.rows += filtered.max(reader.output_rows().unwrap_or_default() as u64);
            counts.bytes = count(reader, "bytes_scanned");
            counts.row_groups_pruned = count(reader, "row_groups_pruned_statistics")
                + count(reader, "row_groups_pruned_bloom_filter")
                + count(reader, "row_groups_pruned_dynamic_filter");
        }
        counts
    }

    /// Adds what an aggregate over rollups has done besides scanning.
    pub(crate) fn add_aggregate(&mut self, aggregate: &MetricsSet) {
        self.rows += count(aggregate, "raw_rows");
        self.rollup_rows += count(aggregate, "rollup_rows");
        self.rollup_groups += count(aggregate, "rollup_groups");
        self.segments_from_rollups += count(aggregate, "segments_rollup");
        self.segments_read += count(aggregate, "segments_raw");
    }
}

impl AddAssign for ScanCounts {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.files += other.files;
        self.files_pruned += other.files_pruned;
        self.memory_batches += other.memory_batches;
        self.memory_batches_pruned += other.memory_batches_pruned;
        self.row_groups_pruned += other.row_groups_pruned;
        self.rollup_rows += other.rollup_rows;
        self.rollup_groups += other.rollup_groups;
        self.segments_from_rollups += other.segments_from_rollups;
        self.segments_read += other.segments_read;
        add_each(&mut self.files_pruned_by, other.files_pruned_by);
        add_each(&mut self.memory_batches_pruned_by, other.memory_batches_pruned_by);
    }
}

fn add_each<const N: usize>(sums: &mut [u64; N], counts: [u64; N]) {
    sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
}

/// A counter summed over partitions; 0 where there is none yet.
fn count(metrics: &MetricsSet, name: &str) -> u64 {
    let values = metrics.iter().map(|metric| metric.value()).filter(|value| value.name() == name);
    let counted = values.map(|value| match value {
        MetricValue::PruningMetrics { pruning_metrics, .. } => pruning_metrics.pruned(),
        value => value.as_usize(),
    });
    counted.sum::<usize>() as u64
}
