//! From the WAL's schema to the queries': text becomes views over the buffers that are already there.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, StringViewArray},
    datatypes::DataType,
};

use crate::{error::Result, schema::TableSpec};

/// Turns a batch of the table's WAL schema into one of its query schema. Numbers are shared; text is viewed, not copied.
///
/// # Errors
/// `Internal` when the batch does not have the WAL schema.
pub fn to_query(spec: &TableSpec, batch: &RecordBatch) -> Result<RecordBatch> {
    let fields = spec.query_schema().fields();
    let columns = batch.columns().iter().zip(fields).map(|(column, field)| match field.data_type() {
        DataType::Utf8View => view(column),
        _ => Arc::clone(column),
    });
    Ok(RecordBatch::try_new(Arc::clone(spec.query_schema()), columns.collect())?)
}

fn view(column: &ArrayRef) -> ArrayRef {
    match column.as_string_opt::<i32>() {
        Some(text) if text.null_count() == text.len() => Arc::new(StringViewArray::new_null(text.len())),
        Some(text) => Arc::new(StringViewArray::from(text)),
        None => Arc::clone(column),
    }
}
