//! Which columns of `system.queries` tell what: the one list from [`ScanCounts`] to columns.

use crate::{prune::CAUSES, scan::ScanCounts};

/// A column of counts.
pub(super) struct ScanColumn {
    pub(super) name: String,
    pub(super) value: Box<dyn Fn(&ScanCounts) -> u64>,
}

/// In the order of the table's columns.
pub(super) fn scan_columns() -> Vec<ScanColumn> {
    let mut columns = vec![
        column("rows_read", |counts| counts.rows),
        column("bytes_read", |counts| counts.bytes),
        column("files", |counts| counts.files),
        column("files_pruned", |counts| counts.files_pruned),
        column("memory_batches", |counts| counts.memory_batches),
        column("memory_batches_pruned", |counts| counts.memory_batches_pruned),
        column("row_groups_pruned", |counts| counts.row_groups_pruned),
        column("rollup_rows", |counts| counts.rollup_rows),
        column("rollup_groups", |counts| counts.rollup_groups),
        column("segments_from_rollups", |counts| counts.segments_from_rollups),
        column("segments_read", |counts| counts.segments_read),
    ];
    for (index, cause) in CAUSES.into_iter().enumerate() {
        columns.push(column(format!("files_pruned_{cause}"), move |counts| counts.files_pruned_by[index]));
    }
    for (index, cause) in CAUSES.into_iter().enumerate() {
        let name = format!("memory_batches_pruned_{cause}");
        columns.push(column(name, move |counts| counts.memory_batches_pruned_by[index]));
    }
    columns
}

fn column(name: impl Into<String>, value: impl Fn(&ScanCounts) -> u64 + 'static) -> ScanColumn {
    ScanColumn { name: name.into(), value: Box::new(value) }
}
