//! The front of the planner: [`QueryEngine`] with its options, its threads and the stream of a running query.

mod options;
mod engine;
mod statements;
mod result_columns;
mod alone;
mod planner;
mod plan_times;
mod runtime;
mod stop;
mod results;
mod run;
mod pressure;
mod warm_up;
mod schema_cache;
mod asker;
mod progress;
mod log;
mod stream;
mod parameters;

pub use asker::Asker;
pub use engine::{CatalogTable, LogicalSchema, QueryEngine};
pub(crate) use log::{LoggedQuery, QueryLog};
pub use options::{QueryOptions, default_queries_max};
pub use parameters::{
    Decimal, has_time_of_day, in_unit, nanos_of_text, params_of_row, without_negative_zero,
};
#[doc(hidden)]
pub use plan_times::PlanTimes;
pub use progress::{ProgressReport, QueryProgress, QueryState};
pub use stop::{Stop, StopReason};
pub use stream::QueryStream;
