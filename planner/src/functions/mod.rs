//! SQL functions of our own: H3 cells under the names of H3 v4's API, and geometry on latitude and longitude.
//! Beside them stand functions that rules and the parser put where DataFusion's would answer wrongly.
//!
//! Degrees are WGS84 and come as latitude, longitude. A cell is an Int64, as in the column `h3`. Null in, null out.

mod row_function;
mod cell;
mod geo;
mod json_values;
mod once;
mod plain_float;
mod timezone;
mod wide_aggregates;
mod shift;

pub(crate) use geo::WITHIN_RADIUS;
pub(crate) use json_values::{json_boolean, json_compare, json_number, json_number_text, json_string};
pub(crate) use once::{between, first_value};
pub(crate) use plain_float::plain_float;
pub(crate) use timezone::TIMEZONE;

use std::sync::Arc;

use datafusion::{error::Result, execution::FunctionRegistry};

/// Registers every function.
///
/// # Errors
/// `Plan` when a name is refused.
pub(crate) fn register_all(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for function in cell::functions().into_iter().chain(geo::functions()) {
        registry.register_udf(function.into_udf())?;
    }
    registry.register_udf(timezone::udf())?;
    for function in wide_aggregates::functions() {
        registry.register_udaf(Arc::new(function))?;
    }
    for function in shift::functions() {
        registry.register_udwf(function)?;
    }
    Ok(())
}
