//! JSON values as parameters of a statement, in the types that the statement wants where it tells them.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use hexflight_planner::{QueryEngine, ScalarValue};
use serde_json::{Number, Value};

use super::request::invalid;
use crate::{
    error::query_problem,
    http::{Problem, instant::parse_micros},
};

/// The values to bind. A statement without parameters is not asked for their types.
pub(super) async fn bound(
    queries: &QueryEngine,
    sql: &str,
    params: &[Value],
) -> Result<Vec<ScalarValue>, Problem> {
    if params.is_empty() && !sql.contains(['?', '$']) {
        return Ok(Vec::new());
    }
    let wanted = queries.schema(sql).await.map_err(|error| query_problem(&error))?.parameters;
    if wanted.fields().len() != params.len() {
        let (expected, given) = (wanted.fields().len(), params.len());
        let detail = format!("params has {given} values, the statement has {expected} parameters");
        return Err(invalid("params", detail));
    }
    let bind = |(index, (value, field)): (usize, (&Value, &FieldRef))| {
        scalar(value, field.data_type()).map_err(|rule| {
            let shown: String = value.to_string().chars().take(100).collect();
            invalid("params", format!("params[{index}] = {shown}: {rule}")).with("index", index)
        })
    };
    params.iter().zip(wanted.fields()).enumerate().map(bind).collect()
}

/// One value in the type `wanted`, which is `Null` where nothing tells the type.
///
/// # Errors
/// The rule that the value breaks.
fn scalar(value: &Value, wanted: &DataType) -> Result<ScalarValue, String> {
    let is_text =
        matches!(wanted, DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    match value {
        Value::Null => ScalarValue::try_from(wanted).map_err(|error| error.strip_backtrace()),
        Value::Bool(value) if matches!(wanted, DataType::Null | DataType::Boolean) => {
            Ok(ScalarValue::from(*value))
        }
        Value::String(text) if is_text => Ok(ScalarValue::from(text.as_str())),
        Value::String(text) if matches!(wanted, DataType::Timestamp(..)) => instant(text, wanted),
        Value::String(text) if reads_text(wanted) => ScalarValue::from(text.as_str())
            .cast_to(wanted)
            .map_err(|_| format!("is no {wanted}, which the statement wants")),
        Value::Number(number) if matches!(wanted, DataType::Timestamp(..)) => {
            instant(&number.to_string(), wanted)
        }
        Value::Number(value) if wanted.is_numeric() || matches!(wanted, DataType::Null) => {
            number(value, wanted)
        }
        Value::Array(_) | Value::Object(_) => Err("must be a text, a number, true, false or null".to_owned()),
        _ => Err(format!("the statement wants a value of type {wanted}")),
    }
}

/// Types that have no JSON value of their own and are written as text.
fn reads_text(wanted: &DataType) -> bool {
    wanted.is_temporal() || matches!(wanted, DataType::Decimal128(..) | DataType::Decimal256(..))
}

fn instant(text: &str, wanted: &DataType) -> Result<ScalarValue, String> {
    let micros = parse_micros(text)?;
    let instant = ScalarValue::TimestampMicrosecond(Some(micros), Some(Arc::from("UTC")));
    instant.cast_to(wanted).map_err(|_| format!("is beyond the range of {wanted}"))
}

/// Integers stay integers; SQL compares them with floats as numbers.
fn number(number: &Number, wanted: &DataType) -> Result<ScalarValue, String> {
    let value = if let Some(value) = number.as_i64() {
        ScalarValue::Int64(Some(value))
    } else if let Some(value) = number.as_u64() {
        ScalarValue::UInt64(Some(value))
    } else {
        let value = number.as_f64().filter(|value| value.is_finite());
        return value
            .map(|value| ScalarValue::Float64(Some(value)))
            .ok_or_else(|| "is beyond what a 64-bit float can hold".to_owned());
    };
    match wanted {
        DataType::Null => Ok(value),
        _ => value.cast_to(wanted).map_err(|_| format!("is beyond the range of {wanted}")),
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_take_the_type_that_the_statement_wants() {
        let utc = || DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")));
        let noon = ScalarValue::TimestampMicrosecond(Some(1_764_547_200_000_000), Some(Arc::from("UTC")));
        let table = [
            (json!("a"), DataType::Utf8View, ScalarValue::from("a")),
            (json!("2025-12-01T00:00:00Z"), utc(), noon.clone()),
            (json!(1_764_547_200), utc(), noon),
            (json!("2025-12-01"), DataType::Date32, ScalarValue::Date32(Some(20_423))),
            (json!(5), DataType::Float64, ScalarValue::Float64(Some(5.0))),
            (json!(5), DataType::Null, ScalarValue::Int64(Some(5))),
            (json!(u64::MAX), DataType::Null, ScalarValue::UInt64(Some(u64::MAX))),
            (json!(1.5), DataType::Int64, ScalarValue::Float64(Some(1.5))),
            (json!(null), DataType::Float64, ScalarValue::Float64(None)),
            (json!(true), DataType::Null, ScalarValue::Boolean(Some(true))),
        ];
        for (value, wanted, expected) in table {
            assert_eq!(scalar(&value, &wanted), Ok(expected), "{value} as {wanted}");
        }
    }

    #[test]
    fn a_value_of_another_kind_is_refused() {
        let utc = || DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")));
        for (value, wanted) in [
            (json!("5"), DataType::Float64),
            (json!(5), DataType::Utf8View),
            (json!(true), DataType::Int64),
            (json!("yesterday"), utc()),
            (json!(1_764_547_200_000_u64), utc()),
            (json!(300), DataType::Int8),
            (json!([1]), DataType::Null),
            (json!({}), DataType::Null),
            (json!("2025-13-01"), DataType::Date32),
        ] {
            assert!(scalar(&value, &wanted).is_err(), "{value} as {wanted} was taken");
        }
    }
}
