//! What queries keep of files, under the memory budget: rollups, footers and decoded columns. Everything in it can be read
//! again, so it gives way to whoever needs the memory. How much is read at once is bounded as well.
//!
//! The scan and the aggregates ask it. It never changes an answer: what is damaged is an error, what is gone is read again.

use std::{collections::BTreeMap, sync::Arc};

use hexflight_engine::TableName;

mod lru;
mod reads;
mod device_names;
mod segment_devices;
mod file_bytes;
mod file_reader;
mod columns;
mod segments;

pub(crate) use columns::{Column, ColumnKind, Columns};
pub(crate) use device_names::DeviceNames;
pub(crate) use file_bytes::FileBytes;
pub(crate) use file_reader::FileReader;
pub(crate) use segment_devices::{DeviceNumbers, SegmentDevices};
pub(crate) use segments::SegmentCache;

/// One for each table.
pub(crate) type Caches = BTreeMap<TableName, Arc<SegmentCache>>;
