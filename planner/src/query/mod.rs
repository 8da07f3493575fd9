//! The front of the planner: [`QueryEngine`] with its options, its threads and the stream of a running query.
//!
//! It puts all other modules together and nobody inside the crate uses it. It never looks into a plan but to tell its class.

mod engine;
mod statements;
mod result_columns;
mod alone;
mod planner;
mod plan_times;
mod class;
mod runtime;
mod run;
mod pressure;
mod warm_up;
mod stream;
mod parameters;

pub use engine::{CatalogTable, LogicalSchema, QueryEngine};
pub use parameters::{
    Decimal, has_time_of_day, in_unit, nanos_of_text, params_of_row, without_negative_zero,
};
#[doc(hidden)]
pub use plan_times::PlanTimes;
pub use stream::QueryStream;
