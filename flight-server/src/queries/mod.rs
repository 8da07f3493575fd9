//! Queries as the doors run them: Flight, the JSON questions and HTTP SQL begin each one here, so that limits, cancellation and counts are
//! the same for all.
//!
//! ```text
//!  flight/query ────────┐
//!  http/sql/answer ─────┼─▶ service (limit, count, id) ─▶ QueryEngine (plan, admission, run)
//!  http/questions/answer┘        │
//!                             running (Flight's ids ─▶ progress, stop)
//! ```

mod running;
mod service;

pub(crate) use service::{Asked, OwnLimit, QueryService};
