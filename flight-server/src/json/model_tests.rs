//! Any list of events, written by serde_json in any accepted spelling and shape, is read as the same rows.

use std::collections::BTreeMap;

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{Float64Type, TimestampMicrosecondType},
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::document::{self, DocumentFormat};

#[derive(Debug, Clone, PartialEq)]
struct Row {
    micros: i64,
    device_id: String,
    event_type: String,
    value: f64,
    position: Option<(f64, f64)>,
    metadata: Option<Value>,
}

/// Which of the accepted names and forms a writer uses.
#[derive(Debug, Clone)]
struct Style {
    timestamp: &'static str,
    as_text: bool,
    event_type: &'static str,
    value: &'static str,
    latitude: &'static str,
    longitude: &'static str,
    nested: bool,
    nulls: bool,
}

fn row() -> impl Strategy<Value = Row> {
    let position = (-90.0..=90.0, -180.0..=180.0_f64);
    let metadata = prop::collection::btree_map(
        ".{0,8}",
        prop_oneof![".*".prop_map(Value::from), any::<i64>().prop_map(Value::from)],
        0..4,
    );
    let finite = any::<f64>().prop_filter("finite", |value| value.is_finite());
    (
        0..99_999_999_999_999_999_i64,
        ".{1,40}",
        ".{1,40}",
        finite,
        prop::option::of(position),
        prop::option::of(metadata),
    )
        .prop_map(|(micros, device_id, event_type, value, position, metadata)| Row {
            // Text has no years of more than four digits.
            micros: micros % 253_402_300_800_000_000,
            device_id,
            event_type,
            value,
            position,
            metadata: metadata
                .map(|members: BTreeMap<String, Value>| Value::Object(members.into_iter().collect())),
        })
}

fn style() -> impl Strategy<Value = Style> {
    let pick = |names: &'static [&'static str]| prop::sample::select(names);
    (
        pick(&["timestamp", "ts", "time"]),
        any::<bool>(),
        pick(&["type", "metric_name"]),
        pick(&["value", "metric_value"]),
        pick(&["latitude", "lat"]),
        pick(&["longitude", "lon", "lng"]),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(timestamp, as_text, event_type, value, latitude, longitude, nested, nulls)| Style {
            timestamp,
            as_text,
            event_type,
            value,
            latitude,
            longitude,
            nested,
            nulls,
        })
}

/// The event as text. Timestamps are put in afterwards: serde_json would write them through a Float64.
fn written(row: &Row, style: &Style, pretty: bool) -> String {
    const PLACE: &str = "the timestamp";
    let mut event = Map::new();
    event.insert(style.event_type.to_owned(), json!(row.event_type));
    event.insert(style.value.to_owned(), json!(row.value));
    event.insert("device_id".to_owned(), json!(row.device_id));
    match row.position {
        Some((lat, lng)) if style.nested => {
            event.insert("location".to_owned(), json!({style.latitude: lat, style.longitude: lng}));
        }
        Some((lat, lng)) => {
            event.insert(style.latitude.to_owned(), json!(lat));
            event.insert(style.longitude.to_owned(), json!(lng));
        }
        None if style.nulls => drop(event.insert("location".to_owned(), Value::Null)),
        None => {}
    }
    match &row.metadata {
        Some(metadata) => drop(event.insert("metadata".to_owned(), metadata.clone())),
        None if style.nulls => drop(event.insert("metadata".to_owned(), Value::Null)),
        None => {}
    }
    event.insert(style.timestamp.to_owned(), json!(PLACE));
    let text =
        if pretty { serde_json::to_string_pretty(&event) } else { serde_json::to_string(&event) }.unwrap();
    let (seconds, micros) = (row.micros / 1_000_000, row.micros % 1_000_000);
    let timestamp = if style.as_text {
        let instant = chrono::DateTime::from_timestamp_micros(row.micros).unwrap();
        format!("\"{}\"", instant.format("%Y-%m-%dT%H:%M:%S%.6f+00:00"))
    } else {
        format!("{seconds}.{micros:06}")
    };
    text.replacen(&format!("\"{PLACE}\""), &timestamp, 1)
}

fn rows(batch: &RecordBatch) -> Vec<Row> {
    let text = |index: usize, row: usize| batch.column(index).as_string::<i32>().value(row).to_owned();
    let number = |index: usize, row: usize| {
        let column = batch.column(index).as_primitive::<Float64Type>();
        column.is_valid(row).then(|| column.value(row))
    };
    let metadata = batch.column(6).as_string::<i32>();
    (0..batch.num_rows())
        .map(|row| Row {
            micros: batch.column(0).as_primitive::<TimestampMicrosecondType>().value(row),
            device_id: text(1, row),
            event_type: text(2, row),
            value: number(3, row).unwrap(),
            position: number(4, row).zip(number(5, row)),
            metadata: metadata.is_valid(row).then(|| serde_json::from_str(metadata.value(row)).unwrap()),
        })
        .collect()
}

fn read(body: &str, format: &DocumentFormat) -> Vec<Row> {
    let events = document::read(body.as_bytes(), format).unwrap();
    assert_eq!(events.faults.listed, []);
    rows(&events.batch.unwrap())
}

proptest! {
    #[test]
    fn any_events_in_any_spelling_are_the_same_rows(
        events in prop::collection::vec((row(), style(), any::<bool>()), 1..20),
        said: bool,
    ) {
        let expected: Vec<Row> = events.iter().map(|(row, ..)| row.clone()).collect();
        let array: Vec<String> = events.iter().map(|(row, style, pretty)| written(row, style, *pretty)).collect();
        let lines: Vec<String> = events.iter().map(|(row, style, _)| written(row, style, false)).collect();
        let (json, ndjson) = if said {
            (DocumentFormat::Json, DocumentFormat::Lines)
        } else {
            (DocumentFormat::Unknown, DocumentFormat::Unknown)
        };

        prop_assert_eq!(&read(&format!("[{}]", array.join(" ,\n")), &json), &expected);
        prop_assert_eq!(&read(&lines.join("\n"), &ndjson), &expected);
        prop_assert_eq!(&read(&format!("{}\r\n\r\n", lines.join("\r\n")), &ndjson), &expected);
        prop_assert_eq!(&read(&array[0], &json), &expected[..1]);
    }

    #[test]
    fn no_bytes_are_too_strange(body: Vec<u8>) {
        for format in [
            DocumentFormat::Json,
            DocumentFormat::Lines,
            DocumentFormat::Unknown,
            DocumentFormat::CloudEvent,
            DocumentFormat::CloudBatch,
        ] {
            let _any_answer = document::read(&body, &format);
        }
    }
}
