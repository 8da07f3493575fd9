//! Ingest: a batch as producers send it becomes a batch of the table's WAL schema, or one error that says what to fix.
//!
//! ```text
//! columns (by name) → timestamp, text, number, location → cell (H3) → metadata (JSON) → slack → WAL schema → query views
//! ```
//! Nothing here writes or waits; a refused batch leaves no trace.

mod normaliser;
mod columns;
mod spelling;
mod epoch;
mod plain;
mod timestamp;
mod text;
mod decimal;
mod number;
mod location;
mod cell;
mod metadata;
mod growth;
mod json;
mod slack;
mod query;
mod bad_rows;
mod on_bad_row;

pub use decimal::nearest_doubles;
pub use epoch::{UNIX_SECONDS_MAX, not_seconds};
pub(crate) use growth::{memory_of, needed_for};
pub use normaliser::Normaliser;
pub use on_bad_row::OnBadRow;
pub use query::to_query;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod normaliser_tests;
#[cfg(test)]
mod metadata_tests;
#[cfg(test)]
mod refusal_tests;
#[cfg(test)]
mod model_tests;
