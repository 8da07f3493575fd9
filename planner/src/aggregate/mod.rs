//! Aggregates answered from rollups and decoded columns instead of rows, exactly.
//!
//! ```text
//! AggregateExec ─ rule ─▶ Question? ─▶ RollupAggregateExec ─┬─ segment: total, minutes, cells, devices; raw rows at the edges
//!   over the scan           no: stays as it is              ├─ scan: rows in memory, files without a rollup
//!                                                           └─▶ groups ─ merge ─ top ─▶ output
//! ```
//!
//! A rollup stands for rows that the question cannot tell apart: wholly inside the window and the place, of one group. Whatever
//! is not is read row by row.

mod question;
mod states;
mod groups;
mod cell_index;
mod counters;
mod top;
mod segment;
mod context;
mod deferred;
mod share;
mod select;
mod whole_minutes;
mod pieces;
mod known;
mod rows;
mod unlisted;
mod file;
mod run;
mod output;
mod exec;

pub(crate) use exec::RollupAggregateExec;
pub(crate) use question::Question;
pub(crate) use top::Top;
