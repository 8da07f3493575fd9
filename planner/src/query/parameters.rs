//! Parameter values of a prepared statement, from the batch in which a client binds them.

use arrow::array::RecordBatch;
use datafusion::{
    common::{ScalarValue, plan_err},
    error::Result,
};

/// Reads one row of a batch as parameter values, in column order.
///
/// # Errors
/// `Plan` when the batch has no such row; `Arrow` for a column type that has no scalar form.
pub fn params_of_row(batch: &RecordBatch, row_index: usize) -> Result<Vec<ScalarValue>> {
    if row_index >= batch.num_rows() {
        return plan_err!("parameters: row {row_index} asked for, the batch has {}", batch.num_rows());
    }
    batch.columns().iter().map(|column| ScalarValue::try_from_array(column, row_index)).collect()
}
