//! Queries as the doors run them: Flight, the JSON questions and HTTP SQL begin each one here, so that limits, cancellation and counts are
//! the same for all.
//!
//! ```text
//!  flight/query ────────┐
//!  http/sql/answer ─────┼─▶ service (limit, count, id) ─▶ QueryEngine (plan, admission, run)
//!  http/questions/answer┘        │
//!                             running (Flight's ids ─▶ progress, stop)
//! ```

mod results;
mod running;
mod service;

pub(crate) use results::{
    agreed, catalog_schema, client_batch, client_schema, client_type, message_rows_max, row_bytes, slices,
    split_for_messages, union_column,
};
pub(crate) use service::{Asked, OwnLimit, QueryService};
