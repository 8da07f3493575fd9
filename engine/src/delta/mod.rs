//! The Delta table of a table's flushed rows: its file list with statistics, its txn map, and the one commit function.
//!
//! The log is appended to by us, in O(1) per commit: the state of the newest version is kept and advanced, never re-read.

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
pub(crate) use commit::{Change, LoadedSource, Progress, Rewrite, check_sources, commit, rewrite_app_id};
pub use file::{ColumnRange, DataFile, RollupObject, ScalarBound};
pub(crate) use log::DeltaLog;
pub(crate) use mark::mark_text;
pub(crate) use names::{data_file_of, is_data_file};
pub use state::TableState;
pub(crate) use statistics::extend as extend_ranges;
