//! Delta file statistics: from a file's rows to JSON, and from JSON to ranges that pruning can trust.
//!
//! Times are written in whole milliseconds, the minimum rounded down and the maximum up, so that no reader loses a row
//! to the rounding. Other writers round a maximum down: on reading it is widened by one millisecond. Floats of ours are read bit
//! for bit; those that another tool wrote may have been rounded on their way to text, and are widened to their neighbours.

use std::collections::BTreeMap;

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    compute::{max, max_string_view, min, min_string_view},
    datatypes::{DataType, Float64Type, Int64Type, SchemaRef, TimestampMicrosecondType},
};
use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ColumnRange, ScalarBound};
use crate::schema::column;

const MICROS_PER_MILLI: i64 = 1_000;

/// The statistics of a file as the Add action carries them.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Statistics {
    #[serde(default)]
    pub(crate) num_records: Option<u64>,
    #[serde(default)]
    pub(crate) min_values: Map<String, Value>,
    #[serde(default)]
    pub(crate) max_values: Map<String, Value>,
    #[serde(default)]
    pub(crate) null_count: Map<String, Value>,
}

/// Widens the ranges of a file by the rows of one more batch of the query schema.
pub(crate) fn extend(columns: &mut BTreeMap<String, ColumnRange>, batch: &RecordBatch) {
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let range = of_array(field.name(), array);
        columns.entry(field.name().clone()).and_modify(|sum| *sum = union(sum, &range)).or_insert(range);
    }
}

/// `metadata` is free text of any length: only its nulls are counted.
fn of_array(name: &str, array: &ArrayRef) -> ColumnRange {
    let (min, max) = match array.data_type() {
        DataType::Timestamp(..) => {
            let array = array.as_primitive::<TimestampMicrosecondType>();
            (min(array).map(ScalarBound::Micros), max(array).map(ScalarBound::Micros))
        }
        DataType::Float64 => {
            let array = array.as_primitive::<Float64Type>();
            (min(array).map(ScalarBound::Float), max(array).map(ScalarBound::Float))
        }
        DataType::Int64 => {
            let array = array.as_primitive::<Int64Type>();
            (min(array).map(ScalarBound::Int), max(array).map(ScalarBound::Int))
        }
        DataType::Utf8View if name != column::METADATA => {
            let array = array.as_string_view();
            let text = |bound: Option<&str>| bound.map(|text| ScalarBound::Text(text.to_owned()));
            (text(min_string_view(array)), text(max_string_view(array)))
        }
        _ => (None, None),
    };
    ColumnRange { min, max, null_count: Some(array.null_count() as u64) }
}

/// A bound is known only where both parts know it, or where the part without it has nothing but nulls.
fn union(a: &ColumnRange, b: &ColumnRange) -> ColumnRange {
    let pick = |x: &Option<ScalarBound>, y: &Option<ScalarBound>, smaller: bool| match (x, y) {
        (Some(x), Some(y)) => Some(if (x.is_below(y)) == smaller { x.clone() } else { y.clone() }),
        (one, None) | (None, one) => one.clone(),
    };
    ColumnRange {
        min: pick(&a.min, &b.min, true),
        max: pick(&a.max, &b.max, false),
        null_count: a.null_count.zip(b.null_count).map(|(a, b)| a + b),
    }
}

/// Writes ranges as the JSON text of an Add action.
pub(crate) fn to_json(row_count: u64, columns: &BTreeMap<String, ColumnRange>) -> String {
    let mut statistics = Statistics { num_records: Some(row_count), ..Statistics::default() };
    for (name, range) in columns {
        if let Some(value) = range.min.as_ref().and_then(|bound| bound_to_json(bound, false)) {
            statistics.min_values.insert(name.clone(), value);
        }
        if let Some(value) = range.max.as_ref().and_then(|bound| bound_to_json(bound, true)) {
            statistics.max_values.insert(name.clone(), value);
        }
        if let Some(nulls) = range.null_count {
            statistics.null_count.insert(name.clone(), Value::from(nulls));
        }
    }
    serde_json::to_string(&statistics).expect("statistics have a JSON form")
}

fn bound_to_json(bound: &ScalarBound, round_up: bool) -> Option<Value> {
    match bound {
        ScalarBound::Int(value) => Some(Value::from(*value)),
        ScalarBound::Float(value) => serde_json::Number::from_f64(*value).map(Value::Number),
        ScalarBound::Text(value) => Some(Value::from(value.clone())),
        ScalarBound::Micros(micros) => {
            let millis = if round_up {
                micros.div_euclid(MICROS_PER_MILLI) + i64::from(micros.rem_euclid(MICROS_PER_MILLI) > 0)
            } else {
                micros.div_euclid(MICROS_PER_MILLI)
            };
            let time = DateTime::from_timestamp_millis(millis)?;
            Some(Value::from(time.to_rfc3339_opts(SecondsFormat::Millis, true)))
        }
    }
}

/// Who wrote the statistics of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    /// A build of ours: its floats are exact.
    Hexflight,
    /// Another tool.
    Other,
}

/// Reads the JSON text of an Add action. What cannot be read is unknown: it prunes nothing.
pub(crate) fn from_json(
    schema: &SchemaRef,
    json: Option<&str>,
    writer: Writer,
) -> (Option<u64>, BTreeMap<String, ColumnRange>) {
    let Some(Ok(statistics)) = json.map(serde_json::from_str::<Statistics>) else {
        return (None, BTreeMap::new());
    };
    let mut columns = BTreeMap::new();
    for field in schema.fields() {
        let bound = |values: &Map<String, Value>, is_max: bool| {
            values
                .get(field.name())
                .and_then(|value| bound_from_json(field.data_type(), value, is_max, writer))
        };
        let range = ColumnRange {
            min: bound(&statistics.min_values, false),
            max: bound(&statistics.max_values, true),
            null_count: statistics.null_count.get(field.name()).and_then(Value::as_u64),
        };
        if range != ColumnRange::default() {
            columns.insert(field.name().clone(), range);
        }
    }
    (statistics.num_records, columns)
}

fn bound_from_json(data_type: &DataType, value: &Value, is_max: bool, writer: Writer) -> Option<ScalarBound> {
    match data_type {
        DataType::Timestamp(..) => {
            let micros = DateTime::parse_from_rfc3339(value.as_str()?).ok()?.timestamp_micros();
            Some(ScalarBound::Micros(if is_max { micros.saturating_add(MICROS_PER_MILLI) } else { micros }))
        }
        DataType::Float64 => value.as_f64().map(|bound| {
            ScalarBound::Float(match (writer, is_max) {
                (Writer::Hexflight, _) => bound,
                (Writer::Other, false) => below(bound),
                (Writer::Other, true) => -below(-bound),
            })
        }),
        DataType::Int64 => value.as_i64().map(ScalarBound::Int),
        DataType::Utf8View => value.as_str().map(|text| ScalarBound::Text(text.to_owned())),
        _ => None,
    }
}

/// The neighbour below. Either zero may stand for the other, of which the negative one is the smaller.
fn below(bound: f64) -> f64 {
    let neighbour = bound.next_down();
    if neighbour == 0.0 { -0.0 } else { neighbour }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::schema::TableSpec;

    #[test]
    fn a_maximum_is_never_below_the_row_it_stands_for() {
        let micros = 1_700_000_000_123_456;
        let columns = BTreeMap::from([(
            String::from(column::TIMESTAMP),
            ColumnRange {
                min: Some(ScalarBound::Micros(micros)),
                max: Some(ScalarBound::Micros(micros)),
                null_count: Some(0),
            },
        )]);
        let json = to_json(1, &columns);
        assert!(json.contains("22:13:20.123Z") && json.contains("22:13:20.124Z"), "{json}");
        let (rows, read) = from_json(TableSpec::events().query_schema(), Some(&json), Writer::Hexflight);
        let range = &read[column::TIMESTAMP];
        assert_eq!(rows, Some(1));
        assert_eq!(range.min, Some(ScalarBound::Micros(1_700_000_000_123_000)));
        assert_eq!(range.max, Some(ScalarBound::Micros(1_700_000_000_125_000)));
    }

    #[test]
    fn unreadable_statistics_are_unknown() {
        let events = TableSpec::events();
        let schema = events.query_schema();
        let from_json = |json| from_json(schema, json, Writer::Hexflight);
        assert_eq!(from_json(Some("{")), (None, BTreeMap::new()));
        assert_eq!(from_json(None), (None, BTreeMap::new()));
        let odd = r#"{"numRecords":3,"minValues":{"value":"x","timestamp":7},"maxValues":{"h3":1.5}}"#;
        assert_eq!(from_json(Some(odd)), (Some(3), BTreeMap::new()));
    }

    fn floats(json: &str, writer: Writer) -> (f64, f64) {
        let (_, columns) = from_json(TableSpec::events().query_schema(), Some(json), writer);
        let ColumnRange { min, max, .. } = &columns[column::VALUE];
        let float = |bound: &Option<ScalarBound>| match bound {
            Some(ScalarBound::Float(value)) => Some(*value),
            _ => None,
        };
        (float(min).unwrap(), float(max).unwrap())
    }

    fn written(min: f64, max: f64) -> String {
        let range = ColumnRange {
            min: Some(ScalarBound::Float(min)),
            max: Some(ScalarBound::Float(max)),
            null_count: Some(0),
        };
        to_json(2, &BTreeMap::from([(column::VALUE.to_owned(), range)]))
    }

    proptest! {
        #[test]
        fn floats_of_ours_come_back_bit_for_bit(a in finite(), b in finite()) {
            let (min, max) = floats(&written(a.min(b), a.max(b)), Writer::Hexflight);
            prop_assert_eq!(min.to_bits(), a.min(b).to_bits());
            prop_assert_eq!(max.to_bits(), a.max(b).to_bits());
        }

        #[test]
        fn floats_of_another_tool_hold_whatever_was_rounded_to_them(a in finite(), b in finite()) {
            let (min, max) = floats(&written(a.min(b), a.max(b)), Writer::Other);
            for row in [a, b, a.min(b).next_down(), a.max(b).next_up(), -0.0] {
                let is_rounded_to_them = a.min(b).next_down() <= row && row <= a.max(b).next_up();
                let is_held = min.total_cmp(&row).is_le() && row.total_cmp(&max).is_le();
                prop_assert!(!is_rounded_to_them || is_held, "{row:e} of {min:e} to {max:e}");
            }
        }
    }

    /// Every finite double, those of 17 digits, denormals and extremes often; no negative zero, which no door lets in.
    fn finite() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<f64>().prop_filter("finite", |value| value.is_finite()),
            (-180.0..180.0_f64),
            Just(f64::MIN),
            Just(f64::MAX),
            Just(f64::MIN_POSITIVE),
            Just(5e-324),
            Just(-5e-324),
            Just(0.0),
        ]
        .prop_map(|value| value + 0.0)
    }
}
