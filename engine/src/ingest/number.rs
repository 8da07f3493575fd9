//! Numbers: floats, integers and decimals of any width, also encoded as dictionaries, become Float64, each the double nearest to
//! it; the rule of the value column.

use arrow::{
    array::{Array, AsArray, Float64Array},
    buffer::NullBuffer,
    compute::cast,
    datatypes::{DataType, Float64Type},
};

use super::{
    bad_rows::{Found, refuse_nulls, refuse_rows, wrong_type},
    columns::InputColumn,
    decimal::nearest_doubles,
    plain::unpacked,
};
use crate::error::Result;

/// Reads the value column: not null, finite.
pub(super) fn read_value(column: &InputColumn<'_>) -> Result<Float64Array> {
    let numbers = to_float64(column)?;
    refuse_nulls(&column.name, numbers.nulls())?;
    let values = numbers.values();
    if count_if(values, |value| !value.is_finite()) > 0 {
        let bad_rows = (0..values.len()).filter(|row| !values[*row].is_finite());
        refuse_rows(&column.name, bad_rows, |row| Found::new(values[row], "is not a finite number"))?;
    }
    Ok(numbers)
}

/// Brings a column of numbers to Float64, with its parent's nulls folded in. A Float64 column without −0 is shared.
pub(super) fn to_float64(column: &InputColumn<'_>) -> Result<Float64Array> {
    let unpacked = unpacked(column.array)?;
    let array = unpacked.as_deref().unwrap_or(column.array);
    let data_type = array.data_type();
    let numbers = if *data_type == DataType::Null {
        Float64Array::new_null(array.len())
    } else if *data_type == DataType::Float64 {
        array.as_primitive::<Float64Type>().clone()
    } else if data_type.is_integer() || data_type.is_floating() {
        cast(array, &DataType::Float64)?.as_primitive::<Float64Type>().clone()
    } else {
        nearest_doubles(array).ok_or_else(|| {
            wrong_type(&column.name, column.array.data_type(), "floats, integers or decimals")
        })?
    };
    let numbers = without_negative_zero(numbers);
    match column.parent_nulls.filter(|nulls| nulls.null_count() > 0) {
        None => Ok(numbers),
        Some(parent) => {
            let (_, values, nulls) = numbers.into_parts();
            Ok(Float64Array::new(values, NullBuffer::union(nulls.as_ref(), Some(parent))))
        }
    }
}

/// −0 becomes 0. They are one number, but Arrow orders −0 before 0: `longitude >= 0` would not find it.
fn without_negative_zero(numbers: Float64Array) -> Float64Array {
    let is_negative_zero = |value: f64| value.to_bits() == (-0.0_f64).to_bits();
    if count_if(numbers.values(), is_negative_zero) == 0 {
        numbers
    } else {
        numbers.unary(|value| value + 0.0)
    }
}

/// Counts without leaving early, so that the loop has no branch and becomes vector instructions.
pub(super) fn count_if<T: Copy>(values: &[T], test: impl Fn(T) -> bool) -> usize {
    values.iter().fold(0, |count, value| count + usize::from(test(*value)))
}
