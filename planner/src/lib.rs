//! Hexflight's read path: SQL in, Arrow batches out, over one snapshot per query.
//!
//! ```text
//!  QueryEngine ─ sql text ─▶ sql ─ statement ─▶ session ─ logical and physical plan ─▶ query
//!                             │                    │                                     │
//!                   bounds, parameters,     template state,                    own runtime, bounded
//!                   allowed statements      budget pool                        results, QueryStream
//!                                                  │
//!                                catalog ─ provider ─ prune ─ scan (memory batches and Parquet files)
//! ```
//!
//! [`QueryEngine`] is made once. It plans and runs every query on threads of its own, pins one snapshot of each table for the
//! whole query, lets so many run at once (`admission`), and hands batches over through bounded results; dropping the [`QueryStream`] stops the query. Knows no gRPC
//! and never writes.

mod query;
mod through;
mod turn;
mod width;
mod admission;
mod sql;
mod geo;
mod wide_sums;
mod functions;
mod guard;
mod rules;
mod session;
mod system;
mod catalog;
mod provider;
mod predicate;
mod prune;
mod cache;
mod scan;
mod aggregate;
mod error;

pub use datafusion::{common::ScalarValue, error::DataFusionError, error::Result};
pub use error::{QueryError, QueryErrorKind, classify};
pub use functions::whole_moment;
pub use provider::EventsProvider;
#[doc(hidden)]
pub use query::PlanTimes;
pub use query::{
    Asker, CatalogTable, Decimal, LogicalSchema, ProgressReport, QueryEngine, QueryOptions, QueryProgress,
    QueryState, QueryStream, Stop, StopReason, default_queries_max, has_time_of_day, in_unit, nanos_of_text,
    params_of_row, without_negative_zero,
};
pub use scan::{ScanCounts, SegmentScanExec};
pub use session::{CATALOG_NAME, SCHEMA_NAME};
pub use system::SYSTEM_SCHEMA_NAME;
