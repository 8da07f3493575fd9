//! Segments: the rows of a group of time buckets, sorted by (type, h3, device_id, timestamp), in memory or as one Parquet file.
//!
//! Flushes, loads and merges sort and encode through it. It never decides which rows come together. If you change the order of rows, also look at
//! `rollup`, which counts on it, and at the planner's `prune`.

mod bucket;
mod rank;
mod sort;
mod seal;
mod parquet;
mod read;
mod checksums;
#[cfg(test)]
mod segment_tests;

pub(crate) use bucket::{BUCKET_PIECES, BUCKET_ROWS_MIN, Groups};
pub use checksums::Checksums;
pub(crate) use parquet::{ROW_GROUP_ROWS, encode};
pub(crate) use read::Reader;
pub(crate) use seal::{seal, segments, sorted};
pub(crate) use sort::SortedRows;
