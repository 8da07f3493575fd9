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

mod through;
mod turn;
mod options;
mod admission;
mod memory;
mod results;
mod error;
mod roles;
mod geo;
mod wide_sums;
mod functions;
mod guard;
mod width;
mod predicate;
mod prune;
mod cache;
mod scan;
mod provider;
mod aggregate;
mod rules;
mod watch;
mod system;
mod catalog;
mod sql;
mod session;
mod query;

pub use catalog::{CATALOG_NAME, SCHEMA_NAME};
pub use datafusion::{common::ScalarValue, error::DataFusionError, error::Result};
pub use error::{QueryError, QueryErrorKind, classify};
pub use functions::whole_moment;
pub use options::{QueryOptions, default_queries_max};
pub use provider::EventsProvider;
#[doc(hidden)]
pub use query::PlanTimes;
pub use query::{
    CatalogTable, Decimal, LogicalSchema, QueryEngine, QueryStream, has_time_of_day, in_unit, nanos_of_text,
    params_of_row, without_negative_zero,
};
pub use scan::{MemoryRange, ScanCounts, ScanSources, ScanSpec, SegmentScanExec};
pub use system::SYSTEM_SCHEMA_NAME;
pub use turn::{Stop, StopReason};
pub use watch::{Asker, ProgressReport, QueryProgress, QueryState};
