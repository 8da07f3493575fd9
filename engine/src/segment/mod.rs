//! Segments: the rows of a group of time buckets, sorted by (type, h3, device_id, timestamp), in memory or as one Parquet file.

mod bucket;
mod rank;
mod sort;
mod seal;
mod parquet;
#[cfg(test)]
mod segment_tests;

pub(crate) use parquet::encode;
pub(crate) use seal::{seal, segments};
