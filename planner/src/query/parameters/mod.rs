//! Parameter values of a statement: those that a client binds in a batch, and texts read as numbers and moments. Every door reads
//! them here, so that a text means the same through each, and the same as a literal.

mod decimal;
mod moment;

use arrow::array::RecordBatch;
use datafusion::{
    common::{ScalarValue, plan_err},
    error::Result,
};

pub use decimal::Decimal;
pub use moment::{has_time_of_day, in_unit, nanos_of_text};

/// Reads one row of a batch as parameter values, in column order.
///
/// # Errors
/// `Plan` when the batch has no such row; `Arrow` for a column type that has no scalar form.
pub fn params_of_row(batch: &RecordBatch, row_index: usize) -> Result<Vec<ScalarValue>> {
    if row_index >= batch.num_rows() {
        return plan_err!("parameters: row {row_index} asked for, the batch has {}", batch.num_rows());
    }
    let values = batch.columns().iter().map(|column| ScalarValue::try_from_array(column, row_index));
    values.map(|value| value.map(without_negative_zero)).collect()
}

/// −0 becomes 0, as it does in events. They are one number, but Arrow orders −0 before 0: `value <= -0.0` would not find 0.
#[must_use]
pub fn without_negative_zero(value: ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::Float64(Some(number)) => ScalarValue::Float64(Some(number + 0.0)),
        ScalarValue::Float32(Some(number)) => ScalarValue::Float32(Some(number + 0.0)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array};

    use super::*;

    #[test]
    fn both_zeros_are_bound_as_one() {
        let zeros: ArrayRef = Arc::new(Float64Array::from(vec![-0.0, 0.0, -1.5]));
        let batch = RecordBatch::try_from_iter([("x", zeros)]).unwrap();
        let bound = |row| match params_of_row(&batch, row).unwrap().as_slice() {
            [ScalarValue::Float64(Some(number))] => number.to_bits(),
            other => panic!("{other:?}"),
        };
        assert_eq!([bound(0), bound(1), bound(2)], [0.0_f64, 0.0, -1.5].map(f64::to_bits));
        assert!(params_of_row(&batch, 3).is_err());
    }
}
