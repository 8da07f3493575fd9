//! Positions: latitude and longitude in degrees WGS84, both or neither in a row, each in its range.

use arrow::{
    array::{Array, Float64Array},
    buffer::NullBuffer,
};

use super::{
    bad_rows::{Found, refuse_rows},
    columns::InputColumn,
    number::{count_if, to_float64},
};
use crate::error::Result;

/// Largest latitude either side of the equator. **Units**: degrees.
const LATITUDE_MAX: f64 = 90.0;

/// Largest longitude either side of Greenwich; both signs of it are the same meridian. **Units**: degrees.
const LONGITUDE_MAX: f64 = 180.0;

/// Reads both columns of the position. **Shape**: null in the same rows.
pub(super) fn read(
    latitude: &InputColumn<'_>,
    longitude: &InputColumn<'_>,
) -> Result<(Float64Array, Float64Array)> {
    let latitudes = to_float64(latitude)?;
    let longitudes = to_float64(longitude)?;
    if !same_nulls(latitudes.nulls(), longitudes.nulls()) {
        refuse_half((&longitude.name, &longitudes), (&latitude.name, &latitudes))?;
        refuse_half((&latitude.name, &latitudes), (&longitude.name, &longitudes))?;
    }
    refuse_outside(&latitude.name, &latitudes, LATITUDE_MAX)?;
    refuse_outside(&longitude.name, &longitudes, LONGITUDE_MAX)?;
    Ok((latitudes, longitudes))
}

fn same_nulls(left: Option<&NullBuffer>, right: Option<&NullBuffer>) -> bool {
    let null_count = |nulls: Option<&NullBuffer>| nulls.map_or(0, NullBuffer::null_count);
    match (left, right) {
        _ if null_count(left) != null_count(right) => false,
        (Some(left), Some(right)) => left.null_count() == 0 || left.inner() == right.inner(),
        _ => true,
    }
}

/// Refuses rows where the first column is null and the other is not.
fn refuse_half(null: (&str, &Float64Array), given: (&str, &Float64Array)) -> Result<()> {
    let bad_rows = (0..null.1.len()).filter(|row| null.1.is_null(*row) && given.1.is_valid(*row));
    refuse_rows(null.0, bad_rows, |row| {
        Found::new(
            "null",
            format!("stands beside '{}' = {}: give both or neither", given.0, given.1.value(row)),
        )
    })
}

fn refuse_outside(name: &str, degrees: &Float64Array, max: f64) -> Result<()> {
    let inside = |value: f64| value >= -max && value <= max;
    let values = degrees.values();
    // Values under nulls are arbitrary: they only make us look closer.
    if count_if(values, |value| !inside(value)) == 0 {
        return Ok(());
    }
    let bad_rows = (0..values.len()).filter(|row| degrees.is_valid(*row) && !inside(values[*row]));
    refuse_rows(name, bad_rows, |row| Found::new(values[row], format!("is not in [-{max}, {max}]")))
}
