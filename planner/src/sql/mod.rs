//! From SQL text to a bound logical plan: bounds, parameters, the statements that are allowed.

mod limits;
mod nesting;
mod placeholder;
mod statement;
mod expansion;
mod dialect;
mod json_paths;
mod time_zones;
mod plan;

pub(crate) use limits::SqlLimits;
pub(crate) use plan::{bind, logical_plan, parameter_schema, parse};
