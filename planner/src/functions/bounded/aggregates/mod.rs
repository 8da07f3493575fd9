//! Bounds on what aggregates make. `array_agg` and `string_agg` make one value of many rows; over a window any aggregate answers each row, and
//! the answers that grow with the window have the square of its rows.
//!
//! ```text
//!  register ─▶ BoundedAggregate, Limit::Value  ─▶ Collecting, CollectingGroups ─▶ Measure ─▶ Bounds: value
//!  rules::BoundedWindows ─▶ Limit::Window      ─▶ Windowed ─┐
//!                └─▶ BoundedWindowFunction ─▶ WindowedRows ─┴─▶ Answers ─▶ Bounds: batch, memory pool
//! ```
//!
//! All of them ask between pieces of their work whether the query has ended.

mod measure;
mod answers;
mod collecting;
mod groups;
mod windowed;
mod aggregate;
mod window_function;

pub(crate) use aggregate::{bounded_in_window, is_bounded_in_window};
pub(crate) use window_function::{bounded_window_function, is_bounded_window_function};

pub(super) use aggregate::bounded_aggregate;

/// Aggregates whose value grows with the rows that it is made of. All others give one of their values, or something of its size.
pub(super) const COLLECTING: [&str; 2] = ["array_agg", "string_agg"];

/// Whether a plan that calls an aggregate of this name has one of these.
pub(crate) fn is_collecting(name: &str) -> bool {
    COLLECTING.contains(&name)
}
