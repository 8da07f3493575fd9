//! Compares a server's answer with the ledger's: counts and extremes exactly, sums and averages relative to Σ|value|, because
//! the order of additions differs.

use arrow::{
    array::{Array, AsArray, RecordBatch},
    compute::concat_batches,
    datatypes::{Float64Type, Int64Type},
    util::display::array_value_to_string,
};

use super::question::Expected;
use crate::{client::Answer, simulate::Aggregate};

/// How far sums may differ, as a share of Σ|value|: far above rounding, far below one event.
const SUM_TOLERANCE: f64 = 1e-9;

/// Compares.
///
/// # Errors
/// The first difference, in words.
pub(super) fn compare(answer: &Answer, expected: &Expected) -> Result<(), String> {
    let rows = concat_batches(&answer.schema, &answer.batches).map_err(|error| error.to_string())?;
    let row_count = match expected {
        Expected::Ranking(ranking) => ranking.len(),
        Expected::Summary(_) | Expected::Average(_) => 1,
    };
    if rows.num_rows() != row_count {
        return Err(format!("{} rows, expected {row_count}", rows.num_rows()));
    }
    match expected {
        Expected::Summary(aggregate) => compare_summary(&rows, aggregate),
        Expected::Average(aggregate) => compare_average(float(&rows, "average", 0)?, aggregate),
        Expected::Ranking(ranking) => compare_ranking(&rows, ranking),
    }
}

/// Reads the one number of a `count(*)` answer.
///
/// # Errors
/// What is wrong with the answer.
pub(super) fn count_of(answer: &Answer) -> Result<u64, String> {
    let rows = concat_batches(&answer.schema, &answer.batches).map_err(|error| error.to_string())?;
    if rows.num_rows() != 1 {
        return Err(format!("{} rows, expected 1", rows.num_rows()));
    }
    count(&rows, "events", 0)
}

fn compare_summary(rows: &RecordBatch, expected: &Aggregate) -> Result<(), String> {
    same("events", count(rows, "events", 0)?, expected.count)?;
    same("min", float(rows, "min", 0)?, expected.min)?;
    same("max", float(rows, "max", 0)?, expected.max)?;
    let expected_sum = (expected.count > 0).then_some(expected.sum);
    close("sum", float(rows, "sum", 0)?, expected_sum, expected.sum_abs)?;
    compare_average(float(rows, "average", 0)?, expected)
}

fn compare_average(found: Option<f64>, expected: &Aggregate) -> Result<(), String> {
    close("average", found, expected.avg(), expected.sum_abs / expected.count.max(1) as f64)
}

fn compare_ranking(rows: &RecordBatch, expected: &[(String, u64)]) -> Result<(), String> {
    let devices = rows.column_by_name("device_id").ok_or("no column device_id")?;
    for (row, (device, events)) in expected.iter().enumerate() {
        let found = array_value_to_string(devices, row).map_err(|error| error.to_string())?;
        same(&format!("device {}", row + 1), found.as_str(), device.as_str())?;
        same(&format!("events of {device}"), count(rows, "events", row)?, *events)?;
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what} is {found:?}, expected {expected:?}")) }
}

fn close(what: &str, found: Option<f64>, expected: Option<f64>, scale: f64) -> Result<(), String> {
    match (found, expected) {
        (Some(found), Some(expected)) if (found - expected).abs() <= SUM_TOLERANCE * scale => Ok(()),
        _ => same(what, found, expected),
    }
}

fn count(rows: &RecordBatch, column: &str, row: usize) -> Result<u64, String> {
    let array = rows.column_by_name(column).ok_or_else(|| format!("no column {column}"))?;
    let numbers = array
        .as_primitive_opt::<Int64Type>()
        .ok_or_else(|| format!("column {column} is {}, expected Int64", array.data_type()))?;
    u64::try_from(numbers.value(row)).map_err(|_| format!("column {column} is negative"))
}

fn float(rows: &RecordBatch, column: &str, row: usize) -> Result<Option<f64>, String> {
    let array = rows.column_by_name(column).ok_or_else(|| format!("no column {column}"))?;
    let numbers = array
        .as_primitive_opt::<Float64Type>()
        .ok_or_else(|| format!("column {column} is {}, expected Float64", array.data_type()))?;
    Ok(numbers.is_valid(row).then(|| numbers.value(row)))
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
