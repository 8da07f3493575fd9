//! From SQL text to a bound logical plan: bounds, parameters, the statements that are allowed.
//!
//! `query` calls it for every statement. It never reads data. If you allow a statement, also look at `docs/security.md`.

mod walk;
mod column_id;
mod derived_columns;
mod dialect;
mod distinct_names;
mod distinct_order;
mod with_queries;
mod call;
mod json_keys;
mod json_operands;
mod no_escape;
mod result_names;
mod row_in;
mod star_names;
mod series;
mod series_subqueries;
mod mentions;
mod limits;
mod nesting;
mod placeholder;
mod statement;
mod expansion;
mod json_paths;
mod time_zones;
mod plan;

pub(crate) use derived_columns::DerivedColumns;
pub(crate) use limits::SqlLimits;
pub(crate) use plan::{bind, logical_plan, parameter_schema, parse};
pub(crate) use result_names::result_names;
pub(crate) use series::SeriesParameters;
