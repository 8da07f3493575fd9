//! Bounds of what functions build. A text of a few letters can ask for gigabytes, `repeat('x', 1000000000)`, or for hours,
//! `levenshtein(a, b)` of long texts. A function that can grow is wrapped: the size of its result is known before it is built.
//!
//! ```text
//!  GROWTHS ─ name ─▶ Bounded ─▶ Argument sizes ─▶ Pieces: refused, or cut so that a piece is short ─▶ the function itself, piece by piece
//!                                                        └─▶ Bounds: value, batch, memory pool
//! ```
//!
//! Functions that are not wrapped give values not much larger than their arguments; a test names every one of them.

mod bounds;
mod measure;
mod row;
mod texts;
mod regexes;
mod lists;
mod growth;
mod pieces;
mod held;
mod call;
mod joined;
mod constant;
mod aggregates;

pub(crate) use aggregates::{
    bounded_in_window, bounded_window_function, is_bounded_in_window, is_bounded_window_function,
    is_collecting,
};
pub(crate) use bounds::{BATCH_ROWS, Bounds, UNRESERVED_ROW_BYTES};
pub(crate) use call::{bounded, bounded_call, is_bounded, is_unbounded};
pub(crate) use constant::constant;
pub(crate) use joined::{can_join, joined};
pub(crate) use measure::{bytes_at, entries, items_at, largest_bytes, scalar_bytes};

use std::sync::Arc;

use datafusion::{
    error::Result,
    execution::{FunctionRegistry, SessionState},
};

/// Puts the wrapped functions in the place of those that are registered.
///
/// # Errors
/// `Plan` when a name is refused.
pub(super) fn register(state: &mut SessionState, bounds: &Arc<Bounds>) -> Result<()> {
    for name in growth::names().filter(|name| !LEFT.contains(name)) {
        if let Some(function) = state.scalar_functions().get(name).map(Arc::clone) {
            state.register_udf(bounded(&function, bounds))?;
        }
    }
    for name in aggregates::COLLECTING {
        if let Some(aggregate) = state.aggregate_functions().get(name).map(Arc::clone) {
            state.register_udaf(Arc::new(aggregates::bounded_aggregate(&aggregate, bounds)))?;
        }
    }
    Ok(())
}

/// Functions that only `rules::BoundedCalls` wraps: rules before it look for them as they are.
const LEFT: [&str; 3] = ["json_get_array", "json_object_keys", "make_array"];

#[cfg(test)]
mod every_function;

#[cfg(test)]
mod formulas_tests;
