//! The Delta table of a table's flushed rows: its file list with statistics, its txn map, and the one commit function.
//!
//! The log is appended to by us, in O(1) per commit: the state of the newest version is kept and advanced, never re-read.
//!
//! `tables` commits through it and shows what was committed; it never touches memory or the WAL. If you change what a version says, also look at
//! `docs/formats.md`, the fixtures, `check/delta.rs` and `backup/table.rs`.

mod action;
mod version;
mod checksums;
mod file;
mod file_bytes;
mod names;
mod statistics;
mod state;
mod log;
mod mark;
mod commit;

pub use checksums::FileChecksums;
pub(crate) use commit::{Change, LoadedSource, Rewrite, TxnStep, check_sources, commit, rewrite_app_id};
pub use file::{ColumnRange, DataFile, RollupObject, ScalarBound};
pub(crate) use log::DeltaLog;
pub(crate) use mark::mark_text;
pub(crate) use names::{data_file_of, is_data_file};
pub use state::TableState;
pub(crate) use statistics::extend as extend_ranges;
