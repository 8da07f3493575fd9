//! What JSON values are worth to SQL: `json_number`, `json_number_text`, `json_whole_text`, `json_string`, `json_boolean` and
//! `json_compare`. Statements do not call these; `rules::JsonValues` and `JsonCasts` put them where `->` is compared or cast.
//!
//! Each takes one value as JSON text, as `json_get_json` gives it, or as the union that `json_get` gives.

use std::{
    cmp::Ordering,
    sync::{Arc, LazyLock},
};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringArray, UnionArray},
    compute::cast,
    datatypes::{DataType, Float64Type, Int64Type, UInt64Type},
};
use datafusion::{
    common::{ScalarValue, exec_err},
    error::Result,
    logical_expr::{
        ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
};
use datafusion_functions_json::{JsonUnionEncoder, JsonUnionValue, udfs::json_get_str_udf};

/// One of the functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reading {
    /// A number as a double; null for all else.
    Number,
    /// The digits of a number, or of a string that is one; null for all else.
    NumberText,
    /// The digits of such a number, rounded to a whole one; null for all else.
    WholeText,
    /// What a string says; null for all else.
    Text,
    /// A boolean; null for all else.
    Boolean,
    /// −1, 0 or 1: how a value compares with a second value, JSON or a whole number, exactly; null where they are not of one kind.
    Compare,
}

static NUMBER: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| JsonReading::udf(Reading::Number));
static NUMBER_TEXT: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| JsonReading::udf(Reading::NumberText));
static WHOLE_TEXT: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| JsonReading::udf(Reading::WholeText));
static TEXT: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| JsonReading::udf(Reading::Text));
static BOOLEAN: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| JsonReading::udf(Reading::Boolean));
static COMPARE: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| JsonReading::udf(Reading::Compare));

/// The number that a JSON value is, as a double.
pub(crate) fn json_number(value: Expr) -> Expr {
    NUMBER.call(vec![value])
}

/// The digits of the number that a JSON value is.
pub(crate) fn json_number_text(value: Expr) -> Expr {
    NUMBER_TEXT.call(vec![value])
}

/// The digits of the whole number that is nearest to a JSON value, away from zero where two are.
pub(crate) fn json_whole_text(value: Expr) -> Expr {
    WHOLE_TEXT.call(vec![value])
}

/// The text that a JSON value is.
pub(crate) fn json_string(value: Expr) -> Expr {
    TEXT.call(vec![value])
}

/// The boolean that a JSON value is.
pub(crate) fn json_boolean(value: Expr) -> Expr {
    BOOLEAN.call(vec![value])
}

/// The sign of `value − other`.
pub(crate) fn json_compare(value: Expr, other: Expr) -> Expr {
    COMPARE.call(vec![value, other])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonReading {
    reading: Reading,
    signature: Signature,
}

impl JsonReading {
    fn udf(reading: Reading) -> Arc<ScalarUDF> {
        let arguments = if reading == Reading::Compare { 2 } else { 1 };
        let signature = Signature::any(arguments, Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(Self { reading, signature }))
    }
}

impl ScalarUDFImpl for JsonReading {
    fn name(&self) -> &'static str {
        match self.reading {
            Reading::Number => "json_number",
            Reading::NumberText => "json_number_text",
            Reading::WholeText => "json_whole_text",
            Reading::Text => "json_string",
            Reading::Boolean => "json_boolean",
            Reading::Compare => "json_compare",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.reading {
            Reading::Number => DataType::Float64,
            Reading::NumberText | Reading::WholeText | Reading::Text => DataType::Utf8,
            Reading::Boolean => DataType::Boolean,
            Reading::Compare => DataType::Int64,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        if self.reading == Reading::Text {
            let ScalarFunctionArgs { args: values, arg_fields, number_rows, return_field, config_options } =
                args;
            let value = ColumnarValue::Array(values_as_text(&values, number_rows)?);
            let args = vec![value];
            let text = ScalarFunctionArgs { args, arg_fields, number_rows, return_field, config_options };
            return json_get_str_udf().invoke_with_args(text);
        }
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let computed = self.compute(&arrays)?;
        Ok(if constant {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&computed, 0)?)
        } else {
            ColumnarValue::Array(computed)
        })
    }
}

impl JsonReading {
    fn compute(&self, arrays: &[ArrayRef]) -> Result<ArrayRef> {
        let Some((value, others)) = arrays.split_first() else { return exec_err!("no argument") };
        let value = as_text(value)?;
        let value = value.as_string::<i32>();
        Ok(match (self.reading, others.first()) {
            (Reading::Number, _) => {
                Arc::new(value.iter().map(|text| number(text?).map(Number::as_f64)).collect::<Float64Array>())
            }
            (Reading::Boolean, _) => Arc::new(
                value.iter().map(|text| text?.trim_ascii().parse::<bool>().ok()).collect::<BooleanArray>(),
            ),
            (Reading::Compare, Some(other)) => compare(value, other)?,
            (Reading::WholeText, _) => {
                Arc::new(value.iter().map(|text| digits(text?).map(whole)).collect::<StringArray>())
            }
            _ => Arc::new(value.iter().map(|text| digits(text?)).collect::<StringArray>()),
        })
    }
}

fn values_as_text(values: &[ColumnarValue], rows: usize) -> Result<ArrayRef> {
    let Some(value) = values.first() else { return exec_err!("no argument") };
    as_text(&value.to_array(rows)?)
}

/// JSON values as JSON text.
fn as_text(values: &ArrayRef) -> Result<ArrayRef> {
    let union = values.as_any().downcast_ref::<UnionArray>();
    let Some(values) = union.and_then(|union| JsonUnionEncoder::from_union(union.clone())) else {
        return Ok(cast(values, &DataType::Utf8)?);
    };
    let texts = (0..values.len()).map(|row| match values.get_value(row) {
        JsonUnionValue::JsonNull => None,
        JsonUnionValue::Bool(value) => Some(value.to_string()),
        JsonUnionValue::Int(value) => Some(value.to_string()),
        JsonUnionValue::Float(value) => Some(format!("{value:e}")),
        JsonUnionValue::Str(text) => Some(quoted(text)),
        JsonUnionValue::Array(text) | JsonUnionValue::Object(text) => Some(text.to_owned()),
    });
    Ok(Arc::new(texts.collect::<StringArray>()))
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control < ' ' => quoted.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// A JSON number: whole ones exactly, as far as 128 bits go.
#[derive(Debug, Clone, Copy)]
enum Number {
    Whole(i128),
    Double(f64),
}

impl Number {
    /// JSON's −0 is 0.
    #[expect(clippy::cast_precision_loss, reason = "the nearest double is what is asked for")]
    fn as_f64(self) -> f64 {
        match self {
            Self::Whole(value) => value as f64,
            Self::Double(value) => value + 0.0,
        }
    }

    fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(left), Self::Whole(right)) => Some(left.cmp(&right)),
            (Self::Double(left), Self::Double(right)) => left.partial_cmp(&right),
            (Self::Whole(left), Self::Double(right)) => Some(compare_whole(left, right)),
            (Self::Double(left), Self::Whole(right)) => Some(compare_whole(right, left).reverse()),
        }
    }
}

/// Compares without rounding the whole number.
#[expect(clippy::cast_possible_truncation, reason = "the bounds are checked before")]
fn compare_whole(whole: i128, double: f64) -> Ordering {
    const BOUND: f64 = 1.701_411_834_604_692_3e38;
    if double >= BOUND {
        return Ordering::Less;
    }
    if double < -BOUND {
        return Ordering::Greater;
    }
    let floor = double.floor();
    match whole.cmp(&(floor as i128)) {
        Ordering::Equal if double > floor => Ordering::Less,
        ordering => ordering,
    }
}

/// The number that a JSON text is.
fn number(text: &str) -> Option<Number> {
    let text = text.trim_ascii();
    if !matches!(text.bytes().next(), Some(b'-' | b'0'..=b'9')) {
        return None;
    }
    if !text.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
        && let Ok(whole) = text.parse()
    {
        return Some(Number::Whole(whole));
    }
    text.parse().ok().map(Number::Double)
}

/// The digits of a number, without an exponent, which casts to decimals do not read.
fn digits(text: &str) -> Option<String> {
    let text = text.trim_ascii();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).map_or(text, str::trim_ascii);
    number(text)?;
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return Some(cut(text)) };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |mantissa| ("-", mantissa));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [whole, fraction].concat();
    let point = point_of(&all, whole.len(), exponent);
    // What is longer than any decimal is refused by the cast as it stands.
    if point > POINT_MAX {
        return Some(text.to_owned());
    }
    Some(match usize::try_from(point) {
        Ok(point) if point > 0 => {
            let padded = format!("{all:0<point$}");
            let (whole, fraction) = padded.split_at(point);
            cut(&format!("{sign}{whole}.{fraction}0"))
        }
        _ => cut(&format!("{sign}0.{}{all}", "0".repeat(usize::try_from(point.unsigned_abs()).ok()?))),
    })
}

/// Without digits behind the point that no decimal has. Arrow refuses to read them; rounding looks at the first that is not kept alone.
fn cut(digits: &str) -> String {
    let end = digits.find('.').map_or(digits.len(), |point| point + 1 + FRACTION_MAX);
    digits.get(..end).unwrap_or(digits).to_owned()
}

/// Digits of a Decimal256.
const FRACTION_MAX: usize = 76;

/// Decimals have 76 digits at most.
const POINT_MAX: i64 = 100;

/// How many digits stand before the point once the exponent is applied, at least `-POINT_MAX`: what is smaller rounds to zero anyway.
fn point_of(digits: &str, whole: usize, exponent: &str) -> i64 {
    if digits.bytes().all(|digit| digit == b'0') {
        return 0;
    }
    let beyond = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
    let exponent = exponent.parse::<i64>().unwrap_or(beyond);
    let whole = i64::try_from(whole).unwrap_or(i64::MAX);
    exponent.saturating_add(whole).max(-POINT_MAX)
}

/// Digits rounded as SQL rounds decimals: half away from zero. What has an exponent stays, as it is too large for any type.
fn whole(digits: String) -> String {
    let (sign, magnitude) = digits.strip_prefix('-').map_or(("", &*digits), |magnitude| ("-", magnitude));
    let Some((whole, fraction)) = magnitude.split_once('.').filter(|_| !magnitude.contains(['e', 'E']))
    else {
        return if magnitude == "0" { magnitude.to_owned() } else { digits };
    };
    let up = u128::from(fraction.starts_with(|digit| digit >= '5'));
    match whole.parse::<u128>().ok().and_then(|whole| whole.checked_add(up)) {
        Some(0) => "0".to_owned(),
        Some(rounded) => format!("{sign}{rounded}"),
        // Beyond 128 bits the last digit decides nothing.
        None => format!("{sign}{whole}"),
    }
}

fn compare(values: &StringArray, other: &ArrayRef) -> Result<ArrayRef> {
    let sign = |ordering: Option<Ordering>| ordering.map(|ordering| ordering as i64);
    let with_number = |row: usize, other: Number| {
        let value = values.is_valid(row).then(|| values.value(row)).and_then(number)?;
        value.compare(other)
    };
    let rows = 0..values.len();
    let signs: Int64Array = match other.data_type() {
        DataType::Int64 => {
            let other = other.as_primitive::<Int64Type>();
            rows.map(|row| {
                let other = other.is_valid(row).then(|| Number::Whole(other.value(row).into()))?;
                sign(with_number(row, other))
            })
            .collect()
        }
        DataType::UInt64 => {
            let other = other.as_primitive::<UInt64Type>();
            rows.map(|row| {
                let other = other.is_valid(row).then(|| Number::Whole(other.value(row).into()))?;
                sign(with_number(row, other))
            })
            .collect()
        }
        DataType::Float64 => {
            let other = other.as_primitive::<Float64Type>();
            rows.map(|row| {
                let other = other.is_valid(row).then(|| Number::Double(other.value(row)))?;
                sign(with_number(row, other))
            })
            .collect()
        }
        _ => {
            let other = as_text(other)?;
            let other = other.as_string::<i32>();
            values.iter().zip(other.iter()).map(|(left, right)| sign(compare_json(left?, right?))).collect()
        }
    };
    Ok(Arc::new(signs))
}

/// Numbers with numbers, all else with its kind by its text; null for JSON's null and for different kinds.
fn compare_json(left: &str, right: &str) -> Option<Ordering> {
    let (left, right) = (left.trim_ascii(), right.trim_ascii());
    if let (Some(left), Some(right)) = (number(left), number(right)) {
        return left.compare(right);
    }
    let kind = |text: &str| text.bytes().next().map(|byte| if byte == b'f' { b't' } else { byte });
    (kind(left) == kind(right) && kind(left) != Some(b'n')).then(|| left.cmp(right))
}

#[cfg(test)]
#[path = "json_values_tests.rs"]
mod tests;
