//! Conditions that guard others: in `type = 'pump' AND (metadata->>'level')::int > 2` the cast is for pumps alone. DataFusion evaluates
//! both sides over whole batches, so that the text of another type's metadata fails a query that never asked for its rows.
//!
//! `fallible` says which expressions can fail for a row; `guarded` is an AND or OR that gives such an expression only the rows
//! that its other operands leave open; `rewrite` puts it into expressions. Used by the scan, for rows in memory and for
//! files, and by the rules that look at what stands above it.

mod fallible;
mod guarded;
mod rewrite;

pub(crate) use fallible::{can_fail, logical_can_fail};
pub(crate) use rewrite::{Role, guard, surest_first};
