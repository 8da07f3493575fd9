//! JSON values as parameters of a statement, in the types that the statement wants where it tells them. Numbers are read from
//! their digits: as an integer, a decimal or a moment they are exactly what was sent, or refused; as a float the nearest one.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, TimeUnit};
use hexflight_planner::{
    Decimal, QueryEngine, ScalarValue, has_time_of_day, in_unit, nanos_of_text, whole_moment,
    without_negative_zero,
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::request::invalid;
use crate::{
    http::instant::nanos_of_seconds,
    status::{Problem, query_problem},
};

/// One of `params`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Param {
    Null,
    Boolean(bool),
    /// Its digits, as they were sent.
    Number(String),
    Text(String),
    /// An array or an object, which no parameter can be.
    Nested(String),
}

impl Param {
    /// Reads a value.
    ///
    /// # Errors
    /// A text with half of a surrogate pair.
    pub(super) fn of(raw: &RawValue) -> serde_json::Result<Self> {
        let text = raw.get();
        Ok(match text.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Boolean(text == "true"),
            Some(b'"') => Self::Text(serde_json::from_str(text)?),
            Some(b'[' | b'{') => Self::Nested(text.to_owned()),
            _ => Self::Number(text.to_owned()),
        })
    }

    /// The value as JSON, shortened, for errors.
    fn shown(&self) -> String {
        let text = match self {
            Self::Null => "null".to_owned(),
            Self::Boolean(value) => value.to_string(),
            Self::Number(text) | Self::Nested(text) => text.clone(),
            Self::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
        };
        text.chars().take(100).collect()
    }
}

/// The values to bind. A statement without parameters is not asked for their types.
pub(super) async fn bound(
    queries: &QueryEngine,
    sql: &str,
    params: &[Param],
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
    let bind = |(index, (value, field)): (usize, (&Param, &FieldRef))| {
        scalar(value, field.data_type()).map(without_negative_zero).map_err(|rule| {
            let shown = value.shown();
            invalid("params", format!("params[{index}] = {shown}: {rule}")).with("index", index)
        })
    };
    params.iter().zip(wanted.fields()).enumerate().map(bind).collect()
}

/// One value in the type `wanted`, which is `Null` where nothing tells the type.
///
/// # Errors
/// The rule that the value breaks.
fn scalar(value: &Param, wanted: &DataType) -> Result<ScalarValue, String> {
    let is_text =
        matches!(wanted, DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    match (value, wanted) {
        (Param::Null, _) => ScalarValue::try_from(wanted).map_err(|error| error.strip_backtrace()),
        (Param::Boolean(value), DataType::Null | DataType::Boolean) => Ok(ScalarValue::from(*value)),
        (Param::Text(text), _) if is_text => Ok(ScalarValue::from(text.as_str())),
        (Param::Text(text), DataType::Timestamp(unit, zone)) => instant(text, *unit, zone.as_ref()),
        (Param::Text(text), _) if wanted.is_decimal() => decimal(text.trim(), wanted),
        (Param::Text(text), DataType::Date32) if has_time_of_day(text) => {
            Err("has a time of day, and the statement wants a date".to_owned())
        }
        (Param::Text(text), _) if wanted.is_temporal() => ScalarValue::from(whole_moment(text).as_ref())
            .cast_to(wanted)
            .map_err(|_| format!("is no {wanted}, which the statement wants")),
        (Param::Number(text), DataType::Timestamp(unit, zone)) => {
            moment(nanos_of_seconds(text)?, *unit, zone.as_ref())
        }
        (Param::Number(text), _) if wanted.is_numeric() || matches!(wanted, DataType::Null) => {
            number(text, wanted)
        }
        (Param::Nested(_), _) => Err("must be a text, a number, true, false or null".to_owned()),
        _ => Err(format!("the statement wants a value of type {wanted}")),
    }
}

/// A text is a date and time as in SQL. Digits alone could be Unix seconds as well as a day, `20251201`: they are neither.
fn instant(text: &str, unit: TimeUnit, zone: Option<&Arc<str>>) -> Result<ScalarValue, String> {
    let nanos =
        nanos_of_text(text, zone.map(AsRef::as_ref)).map_err(|rule| match Decimal::of_text(text) {
            Some(_) => "is text; send Unix seconds as a number, without quotes".to_owned(),
            None => rule,
        })?;
    moment(nanos, unit, zone)
}

/// A moment in the unit that is wanted, or in the one that its digits need: the planner compares both exactly.
fn moment(nanos: i128, unit: TimeUnit, zone: Option<&Arc<str>>) -> Result<ScalarValue, String> {
    let (unit, ticks) = in_unit(&[Some(nanos)], unit)?;
    let (ticks, zone) = (ticks.first().copied().flatten(), zone.cloned());
    Ok(match unit {
        TimeUnit::Second => ScalarValue::TimestampSecond(ticks, zone),
        TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(ticks, zone),
        TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(ticks, zone),
        TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(ticks, zone),
    })
}

/// Integers stay integers, decimals decimals; SQL compares them with floats as numbers.
fn number(text: &str, wanted: &DataType) -> Result<ScalarValue, String> {
    if wanted.is_decimal() {
        return decimal(text, wanted);
    }
    if wanted.is_floating() {
        return float(text);
    }
    let is_integer = !text.contains(['.', 'e', 'E']);
    let whole = Decimal::of_text(text).and_then(|number| number.scaled(0));
    let whole = whole.filter(|_| is_integer || wanted.is_integer());
    let value = match whole {
        Some(whole) => i64::try_from(whole)
            .map(ScalarValue::from)
            .or_else(|_| u64::try_from(whole).map(ScalarValue::from))
            .map_err(|_| LARGE_INTEGER.to_owned())?,
        None if is_integer => return Err(LARGE_INTEGER.to_owned()),
        None => return fraction(text),
    };
    match wanted {
        DataType::Null => Ok(value),
        _ => value.cast_to(wanted).map_err(|_| format!("is beyond the range of {wanted}")),
    }
}

const LARGE_INTEGER: &str = "is an integer beyond 64 bits; send it as a text and write \
                             CAST($1 AS DECIMAL(38, 0)) in the statement, with its number for $1";

fn float(text: &str) -> Result<ScalarValue, String> {
    let value = text.parse::<f64>().ok().filter(|value| value.is_finite());
    value
        .map(|value| ScalarValue::Float64(Some(value)))
        .ok_or_else(|| "is beyond what a 64-bit float can hold".to_owned())
}

/// A float if it has the digits that were sent, else a decimal of exactly those. What no decimal has room for is refused: nothing says
/// that the statement compares it with a float.
fn fraction(text: &str) -> Result<ScalarValue, String> {
    let value = float(text)?;
    let digits = Decimal::of_text(text);
    let is_itself = |value: f64| Decimal::of_text(&format!("{value:e}")) == digits;
    match value {
        ScalarValue::Float64(Some(value)) if !is_itself(value) => digits
            .and_then(|digits| digits.scalar(&DataType::Decimal128(38, 0)))
            .ok_or_else(|| TOO_MANY_DIGITS.to_owned()),
        value => Ok(value),
    }
}

const TOO_MANY_DIGITS: &str = "has more digits than a decimal; write CAST($1 AS DOUBLE) in the statement, with its \
                               number for $1, if the nearest float will do";

fn decimal(text: &str, wanted: &DataType) -> Result<ScalarValue, String> {
    let value = Decimal::of_text(text).and_then(|number| number.scalar(wanted));
    value.ok_or_else(|| format!("is no decimal of at most 76 digits, and the statement wants {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_US: i64 = 1_764_547_200_000_000;

    fn utc() -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")))
    }

    #[test]
    fn values_take_the_type_that_the_statement_wants() {
        let noon = ScalarValue::TimestampMicrosecond(Some(NOON_US), Some(Arc::from("UTC")));
        let finer = ScalarValue::TimestampNanosecond(Some(NOON_US * 1_000 + 500), Some(Arc::from("UTC")));
        let cents = DataType::Decimal128(10, 2);
        let table = [
            (r#""a""#, DataType::Utf8View, ScalarValue::from("a")),
            (r#""2025-12-01T00:00:00Z""#, utc(), noon.clone()),
            (r#""2025-12-01""#, utc(), noon.clone()),
            (r#""2025-12-01 00:00""#, utc(), noon.clone()),
            (r#""2025-12-01 02:00:00+02:00""#, utc(), noon.clone()),
            ("1764547200", utc(), noon.clone()),
            ("1.7645472e9", utc(), noon),
            (r#""2025-12-01T00:00:00.0000005Z""#, utc(), finer.clone()),
            ("1764547200.0000005", utc(), finer),
            (r#""2025-12-01""#, DataType::Date32, ScalarValue::Date32(Some(20_423))),
            ("5", DataType::Float64, ScalarValue::Float64(Some(5.0))),
            ("5", DataType::Null, ScalarValue::Int64(Some(5))),
            ("18446744073709551615", DataType::Null, ScalarValue::UInt64(Some(u64::MAX))),
            ("9007199254740993.0", DataType::Int64, ScalarValue::Int64(Some(9_007_199_254_740_993))),
            ("1e3", DataType::Int64, ScalarValue::Int64(Some(1_000))),
            ("1.5", DataType::Int64, ScalarValue::Float64(Some(1.5))),
            ("0.1", DataType::Null, ScalarValue::Float64(Some(0.1))),
            ("1.7976931348623157e308", DataType::Null, ScalarValue::Float64(Some(f64::MAX))),
            (
                "1234567890.12345678901",
                DataType::Null,
                ScalarValue::Decimal128(Some(123_456_789_012_345_678_901), 21, 11),
            ),
            (
                "9007199254740993.5",
                DataType::Int64,
                ScalarValue::Decimal128(Some(90_071_992_547_409_935), 17, 1),
            ),
            ("0.10000000000000000001", DataType::Float64, ScalarValue::Float64(Some(0.1))),
            ("16777217", DataType::Float32, ScalarValue::Float64(Some(16_777_217.0))),
            ("1.5", cents.clone(), ScalarValue::Decimal128(Some(150), 10, 2)),
            (r#""1.255""#, cents, ScalarValue::Decimal128(Some(1_255), 4, 3)),
            ("null", DataType::Float64, ScalarValue::Float64(None)),
            ("true", DataType::Null, ScalarValue::Boolean(Some(true))),
        ];
        for (value, wanted, expected) in table {
            assert_eq!(read(value, &wanted), Ok(expected), "{value} as {wanted}");
        }
    }

    #[test]
    fn a_value_of_another_kind_is_refused() {
        for (value, wanted) in [
            (r#""5""#, DataType::Float64),
            ("5", DataType::Utf8View),
            ("true", DataType::Int64),
            (r#""yesterday""#, utc()),
            (r#""1764547200""#, utc()),
            (r#""20251201""#, utc()),
            ("1764547200000", utc()),
            ("1764547200.00000000005", utc()),
            ("300", DataType::Int8),
            ("18446744073709551616", DataType::Null),
            ("18446744073709551616", DataType::Int64),
            ("1e400", DataType::Null),
            ("1.00000000000000000000000000000000000001e100", DataType::Null),
            ("-1e400", DataType::Float64),
            ("1e400", DataType::Decimal128(38, 0)),
            ("[1]", DataType::Null),
            ("{}", DataType::Null),
            (r#""2025-13-01""#, DataType::Date32),
            (r#""2025-12-01T05:00:00""#, DataType::Date32),
        ] {
            assert!(read(value, &wanted).is_err(), "{value} as {wanted} was taken");
        }
    }

    fn read(value: &str, wanted: &DataType) -> Result<ScalarValue, String> {
        let raw: Box<RawValue> = serde_json::from_str(value).unwrap();
        scalar(&Param::of(&raw).unwrap(), wanted)
    }
}
