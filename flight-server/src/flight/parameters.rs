//! Bound values in the types that a statement expects of its parameters. Clients bind what they have: a number for a float, text for
//! a timestamp, nanoseconds for microseconds. A value is converted only if it stays the same value; otherwise it is left as it is and
//! the planner compares both in a type that holds both, or says that it cannot.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, RecordBatchOptions, new_null_array},
    compute::{CastOptions, cast, cast_with_options, kernels::cmp::not_distinct, take},
    datatypes::{DataType, Field, Schema},
    error::ArrowError,
};
use tonic::Status;

use super::results::{client_schema, client_type};

/// The batch with its columns in the types of `expected`, as far as that keeps every value.
///
/// # Errors
/// INVALID_ARGUMENT for a wrong number of columns, and for text that cannot be read as the type that is expected.
pub(super) fn fitted(batch: &RecordBatch, expected: &Schema) -> Result<RecordBatch, Status> {
    let (given, wanted) = (batch.num_columns(), expected.fields().len());
    if given != wanted {
        return Err(Status::invalid_argument(format!(
            "the statement has {wanted} parameters, {given} values were given"
        )));
    }
    let columns = batch.columns().iter().map(member_of_union).collect::<Result<Vec<_>, _>>()?;
    // As they leave and come back in a handle: without views and dictionaries.
    let expected = client_schema(expected);
    let mut fields = Vec::with_capacity(wanted);
    let mut fitting = Vec::with_capacity(wanted);
    for (index, column) in columns.iter().enumerate() {
        let named = |error| Status::invalid_argument(format!("parameter ${}: {}", index + 1, reason(error)));
        let column = cast(column, &client_type(column.data_type())).map_err(named)?;
        let column = fitted_column(&column, expected.field(index).data_type()).map_err(named)?;
        fields.push(Field::new(format!("${}", index + 1), column.data_type().clone(), true));
        fitting.push(column);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), fitting, &options)
        .map_err(|error| Status::invalid_argument(format!("parameters: {error}")))
}

/// The values of a union, which some clients bind because they do not know the type: all must be of one member.
fn member_of_union(column: &ArrayRef) -> Result<ArrayRef, Status> {
    let Some(union) = column.as_union_opt() else { return Ok(Arc::clone(column)) };
    let ids = union.type_ids();
    let Some(&id) = ids.first() else { return Ok(new_null_array(&DataType::Null, 0)) };
    if ids.iter().any(|other| *other != id) {
        return Err(Status::invalid_argument(
            "parameters: a union holds values of several types; bind the rows one at a time",
        ));
    }
    let Some(offsets) = union.offsets() else { return Ok(Arc::clone(union.child(id))) };
    let offsets = Int32Array::new(offsets.clone(), None);
    take(union.child(id), &offsets, None)
        .map_err(|error| Status::invalid_argument(format!("parameters: {}", reason(error))))
}

/// Kinds of types between which a value can stay the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    Text,
    Number,
    Time,
    Other,
}

fn kind(data_type: &DataType) -> Kind {
    match data_type {
        DataType::Null => Kind::Nothing,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Kind::Time,
        other if other.is_numeric() => Kind::Number,
        _ => Kind::Other,
    }
}

fn fitted_column(column: &ArrayRef, expected: &DataType) -> Result<ArrayRef, ArrowError> {
    let found = column.data_type();
    match (kind(found), kind(expected)) {
        _ if found == expected => Ok(Arc::clone(column)),
        // Nothing tells the type: it is the value's.
        (_, Kind::Nothing) => Ok(Arc::clone(column)),
        (Kind::Nothing, _) => cast(column, expected),
        (Kind::Text, _) if !expected.is_nested() => strictly(column, expected),
        (Kind::Time, Kind::Time) if is_finer(found, expected) => {
            unchanged(column, expected).ok_or_else(|| {
                let text = format!(
                    "has a finer unit ({found}) than it is compared with ({expected}), which would cut it"
                );
                ArrowError::CastError(text)
            })
        }
        (one, other) if one == other || (one, other) == (Kind::Number, Kind::Text) => {
            Ok(unchanged(column, expected).unwrap_or_else(|| Arc::clone(column)))
        }
        // A number is no moment, a flag no number: whether they can be compared is the planner's to say.
        _ => Ok(Arc::clone(column)),
    }
}

/// Whether one moment is told in a finer unit than another. Comparing them, DataFusion 55 would cut the finer one.
fn is_finer(found: &DataType, expected: &DataType) -> bool {
    match (found, expected) {
        (DataType::Timestamp(found, _), DataType::Timestamp(expected, _)) => found > expected,
        _ => false,
    }
}

fn strictly(column: &ArrayRef, expected: &DataType) -> Result<ArrayRef, ArrowError> {
    cast_with_options(column, expected, &CastOptions { safe: false, ..CastOptions::default() })
}

/// The column in another type, if every value is the same when it comes back.
fn unchanged(column: &ArrayRef, expected: &DataType) -> Option<ArrayRef> {
    let there = strictly(column, expected).ok()?;
    let back = strictly(&there, column.data_type()).ok()?;
    let same = not_distinct(&back, column).ok()?;
    (same.true_count() == column.len()).then_some(there)
}

/// What an error says, without the name of its kind.
fn reason(error: ArrowError) -> String {
    match error {
        ArrowError::CastError(text) | ArrowError::ParseError(text) | ArrowError::ComputeError(text) => text,
        other => other.to_string(),
    }
}

/// Whether the values have the types that the statement expects, so that its result is the one that was announced.
pub(super) fn fits(batch: &RecordBatch, expected: &Schema) -> bool {
    let expected = client_schema(expected);
    let types =
        |schema: &Schema| schema.fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>();
    types(&batch.schema()) == types(&expected)
}

#[cfg(test)]
#[path = "parameters_tests.rs"]
mod tests;
