//! What queries keep of files, under the memory budget: rollups, footers and decoded columns. Everything in it can be read
//! again, so it gives way to whoever needs the memory.

mod lru;
mod device_names;
mod file_reader;
mod columns;
mod segments;

pub(crate) use columns::{Column, ColumnKind, Columns};
pub(crate) use device_names::DeviceNames;
pub(crate) use segments::SegmentCache;
