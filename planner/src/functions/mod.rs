//! SQL functions of our own: H3 cells under the names of H3 v4's API, and geometry on latitude and longitude.
//! Beside them stand functions of DataFusion's and its friends under their own names, mended, and functions that rules and the parser put
//! where DataFusion's would answer wrongly.
//!
//! Degrees are WGS84 and come as latitude, longitude. A cell is an Int64, as in the column `h3`. Null in, null out.

mod row_function;
mod cell;
mod geo;
mod json;
mod json_key;
mod json_values;
mod written_fields;
mod pattern;
mod date_bin;
mod interval_product;
mod moments;
mod to_char;
mod whole_moment;
mod once;
mod beside;
mod plain_float;
mod timezone;
mod sliding_sum;
mod wide_aggregates;
mod spread;
mod sliding_spread;
mod spread_aggregates;
mod shift;
mod series;
mod unsimplified;
mod series_list;
mod bounded;

pub(crate) use beside::beside;
pub(crate) use bounded::{
    BATCH_ROWS, Bounds, UNRESERVED_ROW_BYTES, bounded_call, bounded_in_window, bounded_window_function,
    bytes_at, can_join, constant, entries, is_bounded, is_bounded_in_window, is_bounded_window_function,
    is_collecting, is_unbounded, items_at, joined, largest_bytes, scalar_bytes,
};
pub(crate) use interval_product::{interval_by, interval_times, times_interval};
pub(crate) use json::{JSON_CONTAINS, JSON_GET, JsonContains, JsonGet};
pub(crate) use json_key::JSON_KEY;
pub(crate) use json_values::{
    json_boolean, json_compare, json_number, json_number_text, json_string, json_whole_text,
};
pub(crate) use once::{between, first_value};
pub(crate) use plain_float::plain_float;
pub(crate) use timezone::TIMEZONE;
pub(crate) use whole_moment::WholeMoment;
pub use whole_moment::whole_moment;

use std::sync::Arc;

use datafusion::{
    error::Result,
    execution::{FunctionRegistry, SessionState},
};

/// Registers every function, scalar ones and tables; those that can grow within bounds.
///
/// # Errors
/// `Plan` when a name is refused.
pub(crate) fn register_all(state: &mut SessionState, bounds: &Arc<Bounds>) -> Result<()> {
    for function in moments::functions(&Arc::clone(state.config().options())) {
        state.register_udf(function)?;
    }
    state.register_udf(date_bin::DateBin::udf())?;
    state.register_udf(to_char::ToChar::udf())?;
    state.register_udf(Arc::new(json_key::JsonKey::udf()))?;
    for function in cell::functions().into_iter().chain(geo::functions()) {
        state.register_udf(function.into_udf())?;
    }
    state.register_udf(timezone::udf())?;
    for function in unsimplified::functions(state)? {
        state.register_udf(function)?;
    }
    for function in wide_aggregates::functions() {
        state.register_udaf(Arc::new(function))?;
    }
    for function in spread_aggregates::functions() {
        state.register_udaf(Arc::new(function))?;
    }
    for function in shift::functions() {
        state.register_udwf(function)?;
    }
    for name in ["generate_series", "range"] {
        if let Some(function) = state.scalar_functions().get(name).map(Arc::clone) {
            state.register_udf(series_list::over(function))?;
        }
        if let Some(function) = state.table_functions().get(name).map(|table| Arc::clone(table.function())) {
            state.register_udtf(name, Arc::new(series::Series::new(function)));
        }
    }
    bounded::register(state, bounds)
}
