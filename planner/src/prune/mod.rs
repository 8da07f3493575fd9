//! Which files, memory batches and rows of sorted batches a predicate cannot match, and why. Failing to prune is never an error.
//!
//! The scan asks it. It never reads a row. If you add a cause, also look at `system/scan_columns.rs` and `docs/metrics.md`.

mod cause;
mod pruner;
mod row_selection;
#[cfg(test)]
mod row_selection_tests;
mod file_statistics;
mod zone_statistics;

pub(crate) use cause::{CAUSES, Cause};
pub(crate) use file_statistics::FileStatistics;
pub(crate) use pruner::Pruner;
pub(crate) use row_selection::RowSelector;
pub(crate) use zone_statistics::ZoneStatistics;
