//! Hexflight's write path and storage: batches in, durable and visible; sorted files out; one snapshot per query.
//!
//! ```text
//!  append ─▶ ingest ─▶ wal (group commit, durable) ─▶ view (visible) ─▶ ack
//!                                                       │
//!                     memory: active ─▶ closed ─▶ sealed (segment: sort) ─▶ flush: Parquet ─▶ table: one Delta commit
//!                                                       │                                         │
//!  snapshot ◀───────────────────────────────────────── view ◀──────── rows ≤ txn are in files ────┘
//! ```
//!
//! Behind it compact merges what flushes and loads have written, and vacuum deletes what nobody reads any more. Beside a running
//! engine, check looks at every stored object and backup copies them, without a lock and without a change.
//!
//! It knows no SQL and no gRPC. The modules stand in the order that data takes through them.

mod error;
mod finding;
mod clock;
pub mod time;
mod ids;
pub mod tasks;
pub mod disk;
mod options;
mod signals;
mod budget;
mod schema;
mod ingest;
mod store;
mod quarantine;
mod memory;
mod wal;
mod segment;
mod delta;
mod rollup;
mod file;
mod view;
mod health;
mod tables;
mod stream;
mod flush;
mod import;
mod compact;
mod upkeep;
mod takeover;
mod engine;
mod file_check;
mod check;
mod backup;

pub use backup::{BackupSummary, backup};
pub use budget::{Budget, Reclaim, Reservation};
pub use check::{CheckReport, CheckSummary, check};
pub use clock::{Clock, SystemClock};
pub use compact::CompactSummary;
pub use delta::{ColumnRange, DataFile, FileChecksums, RollupObject, ScalarBound, TableState};
pub use engine::{Appended, Engine};
pub use error::{BadRow, BadRows, EngineError, ErrorKind, Result};
pub use file_check::{FileCheck, check_file};
pub use finding::Finding;
pub use ids::{Ids, SystemIds};
pub use import::{ContentHash, Import, ImportProgress, ImportSummary, OnLoaded, SourceId};
pub use ingest::{Normaliser, OnBadRow, UNIX_SECONDS_MAX, nearest_doubles, not_seconds, to_query};
pub use memory::{Generation, GenerationState, MemoryBatch, ZoneMap};
pub use options::EngineOptions;
pub use rollup::{
    CellGroup, DeviceGroup, DeviceIndex, DeviceRollup, MinuteGroup, NO_CELL, NamedDevices, Rollup, Sums,
    TypeRollup, cell_parent,
};
pub use schema::{
    ColumnRole, LOCATION, Sequence, StreamId, TableName, TableRole, TableSpec, column, event_names, nearest,
};
pub use segment::Checksums;
#[doc(hidden)]
pub use store::{DiskFiles, Files, OpenFile};
pub use store::{PutOutcome, SPILL_FOLDER, Store};
pub use view::Snapshot;
pub use wal::{Ack, PendingAck};

/// Where fuzz targets, and tests of what they found, hand bytes over.
#[doc(hidden)]
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz {
    pub use crate::{rollup::fuzz::rollup_object, wal::fuzz::wal_object};
}

#[cfg(test)]
mod fuzz_tests;
