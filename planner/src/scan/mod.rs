//! The one leaf of every plan: [`SegmentScanExec`] reads a snapshot's memory batches and Parquet files behind one schema.
//!
//! `prune` (what cannot match is left out) → `layout` (what is left is spread over partitions) → per partition `memory` then
//! `files`. Every row it emits satisfies the whole predicate. Row order is not promised.

mod context;
mod spec;
mod exec;
mod prune_sources;
mod layout;
mod memory;
mod dynamic;
mod decode_memory;
mod file_reader;
mod files;
mod limit;
mod scan_metrics;
mod scan_counts;
mod scan_statistics;

pub(crate) use context::{STORE_URL, ScanContext};
pub(crate) use exec::ScanRequest;
pub use exec::SegmentScanExec;
pub use scan_counts::ScanCounts;
pub use spec::{MemoryRange, ScanSources, ScanSpec};
