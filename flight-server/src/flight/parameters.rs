//! Bound values in the types that a statement expects of its parameters. Clients bind what they have: a number for a float, text for
//! a timestamp, nanoseconds for microseconds. A value is converted only if it stays the same value; otherwise it is left as it is and
//! the planner compares both in a type that holds both, or says that it cannot. A decimal for a float becomes the nearest float, as
//! the same digits would in the text of the statement.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
        new_null_array,
    },
    compute::{CastOptions, cast, cast_with_options, kernels::cmp::not_distinct, take},
    datatypes::{DataType, Field, Schema, TimeUnit},
    error::ArrowError,
};
use hexflight_engine::nearest_doubles;
use hexflight_planner::{Decimal, ScalarValue, has_time_of_day, in_unit, nanos_of_text, whole_moment};
use tonic::Status;

use crate::{
    queries::{client_schema, client_type},
    timestamp_unit::TimestampUnit,
};

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
    let expected = client_schema(expected, TimestampUnit::Micros);
    let mut fields = Vec::with_capacity(wanted);
    let mut fitting = Vec::with_capacity(wanted);
    for (index, column) in columns.iter().enumerate() {
        let named = |error| Status::invalid_argument(format!("parameter ${}: {}", index + 1, reason(error)));
        let column = cast(column, &client_type(column.data_type(), TimestampUnit::Micros)).map_err(named)?;
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
enum ParameterKind {
    Nothing,
    Text,
    Number,
    Time,
    Other,
}

fn kind(data_type: &DataType) -> ParameterKind {
    match data_type {
        DataType::Null => ParameterKind::Nothing,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ParameterKind::Text,
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => ParameterKind::Time,
        other if other.is_numeric() => ParameterKind::Number,
        _ => ParameterKind::Other,
    }
}

fn fitted_column(column: &ArrayRef, expected: &DataType) -> Result<ArrayRef, ArrowError> {
    let found = column.data_type();
    match (kind(found), kind(expected), expected) {
        _ if found == expected => Ok(Arc::clone(column)),
        // Nothing tells the type: it is the value's.
        (_, ParameterKind::Nothing, _) => Ok(Arc::clone(column)),
        (ParameterKind::Nothing, _, _) => cast(column, expected),
        (ParameterKind::Text, _, DataType::Timestamp(unit, zone)) => moments(column, *unit, zone.as_ref()),
        (ParameterKind::Text, _, _) if expected.is_decimal() => decimals(column, expected),
        (ParameterKind::Text, _, DataType::Date32) => dates(column),
        (ParameterKind::Text, _, _) if !expected.is_nested() => strictly(column, expected),
        (ParameterKind::Time, ParameterKind::Time, _) => {
            unchanged(column, expected).map_or_else(|| in_zone_of(column, expected), Ok)
        }
        (ParameterKind::Number, _, DataType::Float64) if found.is_decimal() => {
            Ok(nearest_doubles(column.as_ref())
                .map_or_else(|| Arc::clone(column), |doubles| Arc::new(doubles)))
        }
        (one, other, _) if one == other || (one, other) == (ParameterKind::Number, ParameterKind::Text) => {
            Ok(unchanged(column, expected).unwrap_or_else(|| Arc::clone(column)))
        }
        // A number is no moment, a flag no number: whether they can be compared is the planner's to say.
        _ => Ok(Arc::clone(column)),
    }
}

/// Texts as moments of the unit, or of a finer one if their digits ask for it: the planner compares both exactly.
fn moments(column: &ArrayRef, unit: TimeUnit, zone: Option<&Arc<str>>) -> Result<ArrayRef, ArrowError> {
    let texts = cast(column, &DataType::Utf8)?;
    let told = |text: &str, rule: String| ArrowError::CastError(format!("'{text}' {rule}"));
    let read = |text: &str| nanos_of_text(text, zone.map(AsRef::as_ref)).map_err(|rule| told(text, rule));
    let texts = texts.as_string::<i32>();
    let nanos = texts.iter().map(|text| text.map(read).transpose()).collect::<Result<Vec<_>, _>>()?;
    let (unit, ticks) = in_unit(&nanos, unit)
        .map_err(|rule| told(texts.iter().flatten().next().unwrap_or_default(), rule))?;
    cast(&Int64Array::from(ticks), &DataType::Timestamp(unit, zone.cloned()))
}

/// Texts as decimals of the type, none of whose digits may be lost.
fn decimals(column: &ArrayRef, expected: &DataType) -> Result<ArrayRef, ArrowError> {
    let texts = cast(column, &DataType::Utf8)?;
    let read = |text: Option<&str>| {
        let Some(text) = text else { return Ok(ScalarValue::try_from(expected)?) };
        let scalar = Decimal::of_text(text.trim()).and_then(|number| number.scalar(expected));
        scalar.filter(|scalar| scalar.data_type() == *expected).ok_or_else(|| {
            ArrowError::CastError(format!("'{text}' is no {expected}, or has more digits than it holds"))
        })
    };
    let scalars = texts.as_string::<i32>().iter().map(read).collect::<Result<Vec<_>, ArrowError>>()?;
    if scalars.is_empty() {
        return Ok(new_null_array(expected, 0));
    }
    Ok(ScalarValue::iter_to_array(scalars)?)
}

/// Texts as dates; one that tells a time of day would be cut.
fn dates(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let texts = cast(column, &DataType::Utf8)?;
    if let Some(text) = texts.as_string::<i32>().iter().flatten().find(|text| has_time_of_day(text)) {
        let refusal = format!("'{text}' has a time of day, which the date that it is compared with has not");
        return Err(ArrowError::CastError(refusal));
    }
    let whole: StringArray = texts.as_string::<i32>().iter().map(|text| text.map(whole_moment)).collect();
    strictly(&(Arc::new(whole) as ArrayRef), &DataType::Date32)
}

/// A moment that the expected type would cut, in its own unit and the other's zone.
fn in_zone_of(column: &ArrayRef, expected: &DataType) -> Result<ArrayRef, ArrowError> {
    match (column.data_type(), expected) {
        (DataType::Timestamp(unit, _), DataType::Timestamp(_, zone)) => {
            cast(column, &DataType::Timestamp(*unit, zone.clone()))
        }
        _ => Ok(Arc::clone(column)),
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

/// Whether the values have the types that the statement expects, so that its result is the one that was announced. Where the
/// statement leaves a type open nothing can be announced.
pub(super) fn fits(batch: &RecordBatch, expected: &Schema) -> bool {
    let expected = client_schema(expected, TimestampUnit::Micros);
    let types =
        |schema: &Schema| schema.fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>();
    let expected = types(&expected);
    !expected.contains(&DataType::Null) && types(&batch.schema()) == expected
}

/// Says which values are of another type than the statement expects; `None` if all are as it expects.
pub(super) fn misfits(batch: &RecordBatch, expected: &Schema) -> Option<String> {
    let expected = client_schema(expected, TimestampUnit::Micros);
    let pairs = batch.columns().iter().zip(expected.fields()).enumerate();
    let misfits = pairs.filter_map(|(index, (column, expected))| {
        let (found, expected) = (column.data_type(), expected.data_type());
        let is_open = *expected == DataType::Null || found == expected;
        (!is_open).then(|| format!("parameter ${} is {found} where {expected} is expected", index + 1))
    });
    let misfits: Vec<String> = misfits.collect();
    (!misfits.is_empty()).then(|| misfits.join(", "))
}

#[cfg(test)]
#[path = "parameters_tests.rs"]
mod tests;
