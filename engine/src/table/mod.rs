//! The Delta table of a table's flushed rows: its file list with statistics, its txn map, and the one commit function.

mod file;
mod state;

pub use file::{ColumnRange, DataFile, ScalarBound};
pub use state::TableState;
