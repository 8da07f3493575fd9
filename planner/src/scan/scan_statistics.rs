//! What a scan tells the optimizer: row counts, exact only when nothing is filtered and every source knows its own, so that
//! `count(*)` over a whole table reads no data.

use arrow::datatypes::SchemaRef;
use datafusion::common::{ColumnStatistics, Statistics, stats::Precision};

use super::{
    layout::files_rows,
    prune_sources::{Kept, KeptBatch},
};

/// Share of the rows assumed to satisfy a predicate that did not prune them.
const SELECTIVITY_DIVISOR: usize = 5;

/// Statistics of all partitions together.
pub(super) fn of(kept: &Kept, schema: &SchemaRef, filtered: bool) -> Statistics {
    let memory_rows: usize = kept.memory.iter().map(KeptBatch::row_count).sum();
    let rows = memory_rows.saturating_add(files_rows(&kept.files));
    let exact = !filtered && kept.files.iter().all(|file| file.row_count.is_some());
    let mut statistics = Statistics::new_unknown(schema);
    statistics.num_rows = match (exact, filtered) {
        (true, _) => Precision::Exact(rows),
        (false, true) => Precision::Inexact(rows / SELECTIVITY_DIVISOR),
        (false, false) => Precision::Inexact(rows),
    };
    statistics.column_statistics = schema
        .fields()
        .iter()
        .map(|field| ColumnStatistics {
            null_count: if field.is_nullable() { Precision::Absent } else { Precision::Exact(0) },
            ..ColumnStatistics::new_unknown()
        })
        .collect();
    statistics
}

/// With a limit.
pub(super) fn at_most(statistics: &Statistics, rows_max: usize) -> Statistics {
    let rows = statistics.num_rows.get_value().copied().unwrap_or(rows_max);
    Statistics { num_rows: Precision::Inexact(rows.min(rows_max)), ..statistics.clone() }
}

/// Of one partition.
pub(super) fn share(statistics: &Statistics, partitions: usize) -> Statistics {
    let num_rows = statistics.num_rows.map(|rows| rows / partitions.max(1)).to_inexact();
    Statistics { num_rows, ..statistics.clone() }
}
