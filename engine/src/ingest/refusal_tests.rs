//! What ingest refuses, each with the whole text of its error.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, BooleanArray, Date32Array, Date64Array, DictionaryArray, Float64Array, Int32Array,
        Int64Array, NullArray, RecordBatch, RecordBatchOptions, StringArray, StructArray,
        TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
        UInt64Array,
    },
    datatypes::{DataType, Field, Fields, Schema},
};

use super::sample::{NOW_MICROS, SECONDS, Sample, normaliser, refusal, rows};

const ACCEPTED: &str = "accepted: timestamp (or ts, time), device_id, type (or metric_name), value (or metric_value), \
     latitude (or lat), longitude (or lon, lng), location {latitude, longitude}, metadata";

fn refused(sample: &Sample, text: &str) {
    assert_eq!(sample.refusal(), text);
}

fn numbers(values: [f64; 4]) -> Float64Array {
    Float64Array::from(values.to_vec())
}

#[test]
fn batch_without_columns_is_refused() {
    let options = RecordBatchOptions::new().with_row_count(Some(3));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
    assert_eq!(refusal(&batch), format!("batch has no columns; {ACCEPTED}"));
}

#[test]
fn missing_column_is_named_with_its_spellings() {
    let missing = |name| Sample::valid().without(&[name]);
    refused(&missing("timestamp"), "column 'timestamp' is missing; send timestamp (or ts, time)");
    refused(&missing("device_id"), "column 'device_id' is missing; send device_id");
    refused(&missing("type"), "column 'type' is missing; send type (or metric_name)");
    refused(&missing("value"), "column 'value' is missing; send value (or metric_value)");
    refused(
        &missing("longitude"),
        "column 'latitude' comes without a longitude (or lon, lng); send both or neither",
    );
    refused(
        &missing("latitude"),
        "column 'longitude' comes without a latitude (or lat); send both or neither",
    );
}

#[test]
fn unknown_column_gets_a_hint_and_the_list() {
    let misspelled = Sample::valid().renamed("device_id", "deviceid");
    refused(&misspelled, &format!("column 'deviceid' is unknown, did you mean 'device_id'? {ACCEPTED}"));
    let stranger = Sample::valid().with("colour\n", NullArray::new(4));
    refused(&stranger, &format!("column 'colour\\n' is unknown; {ACCEPTED}"));
}

#[test]
fn h3_is_never_taken_from_input() {
    let sample = Sample::valid().with("h3", Int64Array::from(vec![1; 4]));
    refused(&sample, "column 'h3' is derived from latitude and longitude; leave it out");
}

#[test]
fn column_given_twice_is_refused() {
    let sample = Sample::valid();
    let twice = |name: &str, again: &str| sample.clone().and(again, sample.column(name)).refusal();
    assert_eq!(
        twice("timestamp", "ts"),
        "column 'ts': the timestamp is given twice, also by column 'timestamp'; send one of them"
    );
    assert_eq!(
        twice("metadata", "metadata"),
        "column 'metadata': the metadata is given twice, also by column 'metadata'; send one of them"
    );
    assert_eq!(
        twice("value", "VALUE"),
        "column 'VALUE': the value is given twice, also by column 'value'; send one of them"
    );
    let location = sample.clone().with("location", location(vec![("lat", 1.0), ("lon", 2.0)]));
    refused(
        &location,
        "column 'location.lat': the latitude is given twice, also by column 'latitude'; send one of them",
    );
}

fn location(children: Vec<(&str, f64)>) -> StructArray {
    let fields: Fields =
        children.iter().map(|(name, _)| Arc::new(Field::new(*name, DataType::Float64, true))).collect();
    let columns =
        children.iter().map(|(_, value)| Arc::new(Float64Array::from_value(*value, 4)) as ArrayRef).collect();
    StructArray::new(fields, columns, None)
}

#[test]
fn location_must_be_a_struct_of_latitude_and_longitude() {
    let with = |column: ArrayRef| {
        Sample::valid().without(&["latitude", "longitude"]).with("location", column).refusal()
    };
    assert_eq!(
        with(Arc::new(StringArray::from(vec!["47,8"; 4]))),
        "column 'location': type Utf8 is not accepted; send a struct of latitude and longitude"
    );
    assert_eq!(
        with(Arc::new(location(vec![("lat", 1.0), ("lon", 2.0), ("alt", 3.0)]))),
        "column 'location.alt' is unknown; send a struct of latitude and longitude"
    );
    assert_eq!(
        with(Arc::new(location(vec![("lat", 1.0)]))),
        "column 'location.lat' comes without a longitude (or lon, lng); send both or neither"
    );
    assert_eq!(
        with(Arc::new(StructArray::new_empty_fields(4, None))),
        "column 'location' has no fields; send a struct of latitude and longitude"
    );
    assert_eq!(
        with(Arc::new(location(vec![("lat", 1.0), ("lng", 181.0)]))),
        "column 'location.lng': row 0: 181 is not in [-180, 180] (4 bad rows: 0, 1, 2, ...)"
    );
}

#[test]
fn wrong_types_are_refused() {
    let with = |name: &str, column: ArrayRef| Sample::valid().with(name, column).refusal();
    let times: [(ArrayRef, &str); 6] = [
        (Arc::new(Float64Array::from(vec![1.0; 4])), "Float64"),
        (Arc::new(Date32Array::from(vec![1; 4])), "Date32"),
        (Arc::new(Date64Array::from(vec![1; 4])), "Date64"),
        (Arc::new(UInt64Array::from(vec![1; 4])), "UInt64"),
        (Arc::new(StringArray::from(vec!["2026-01-01"; 4])), "Utf8"),
        (Arc::new(BooleanArray::from(vec![true; 4])), "Boolean"),
    ];
    for (column, found) in times {
        let accepted = "an Arrow timestamp of any unit and zone, or Unix seconds as Int64";
        let text = format!("column 'timestamp': type {found} is not accepted; send {accepted}");
        assert_eq!(with("timestamp", column), text);
    }
    let integers: ArrayRef = Arc::new(Int64Array::from(vec![1; 4]));
    assert_eq!(
        with("device_id", Arc::clone(&integers)),
        "column 'device_id': type Int64 is not accepted; send a text column"
    );
    assert_eq!(
        with("metadata", Arc::clone(&integers)),
        "column 'metadata': type Int64 is not accepted; send JSON objects as text, a map with text keys, or a struct"
    );
    for name in ["value", "latitude", "longitude"] {
        let text = format!("column '{name}': type Utf8 is not accepted; send floats, integers or decimals");
        assert_eq!(with(name, Arc::new(StringArray::from(vec!["1"; 4]))), text);
    }
    let dictionary = DictionaryArray::new(Int32Array::from(vec![0; 4]), Arc::new(Int64Array::from(vec![1])));
    assert_eq!(
        with("type", Arc::new(dictionary)),
        "column 'type': type Dictionary(Int32, Int64) is not accepted; send a text column"
    );
}

#[test]
fn nulls_are_refused_where_a_value_is_needed() {
    let with = |name: &str, column: ArrayRef| Sample::valid().with(name, column).refusal();
    let times: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(1), None, Some(1)]));
    assert_eq!(with("timestamp", times), "column 'timestamp': row 0: null is not allowed (2 bad rows: 0, 2)");
    let ids: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("b"), Some("c")]));
    assert_eq!(with("device_id", ids), "column 'device_id': row 1: null is not allowed (1 bad row: 1)");
    let values: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None, None, None]));
    assert_eq!(with("value", values), "column 'value': row 1: null is not allowed (3 bad rows: 1, 2, 3)");
    for name in ["timestamp", "device_id", "type", "value"] {
        let text = format!("column '{name}': row 0: null is not allowed (4 bad rows: 0, 1, 2, ...)");
        assert_eq!(with(name, Arc::new(NullArray::new(4))), text);
    }
    let dictionary = DictionaryArray::new(
        Int32Array::from(vec![0, 1, 0, 0]),
        Arc::new(StringArray::from(vec![Some("a"), None])),
    );
    assert_eq!(
        with("type", Arc::new(dictionary)),
        "column 'type': row 1: null is not allowed (1 bad row: 1)"
    );
}

#[test]
fn timestamps_outside_the_range_are_refused() {
    let with = |column: ArrayRef| Sample::valid().renamed("timestamp", "ts").with("ts", column).refusal();
    let limit = NOW_MICROS + 3_600_000_000;
    let late = "is more than 3600s ahead of the clock (2026-01-01T00:00:00Z)";
    assert_eq!(
        with(Arc::new(TimestampMicrosecondArray::from(vec![1, limit, limit + 1, limit + 2]))),
        format!("column 'ts': row 2: 2026-01-01T01:00:00.000001Z {late} (2 bad rows: 2, 3)")
    );
    assert_eq!(
        with(Arc::new(TimestampNanosecondArray::from(vec![1, 1, 1, (limit + 1) * 1_000]))),
        format!("column 'ts': row 3: 2026-01-01T01:00:00.000001Z {late} (1 bad row: 3)")
    );
    assert_eq!(
        with(Arc::new(TimestampMicrosecondArray::from(vec![0, -1, 0, 0]))),
        "column 'ts': row 1: 1969-12-31T23:59:59.999999Z is before 1970-01-01T00:00:00Z (1 bad row: 1)"
    );
    assert_eq!(
        with(Arc::new(TimestampSecondArray::from(vec![1, 1, i64::MAX, 1]))),
        format!("column 'ts': row 2: 9223372036854775807 {late} (1 bad row: 2)")
    );
    assert_eq!(
        with(Arc::new(TimestampMillisecondArray::from(vec![1, i64::MIN, 1, 1]))),
        "column 'ts': row 1: -9223372036854775808 is before 1970-01-01T00:00:00Z (1 bad row: 1)"
    );
}

#[test]
fn integers_of_finer_units_are_called_by_them() {
    for (factor, unit) in [(1_000_000, "microseconds"), (1_000_000_000, "nanoseconds")] {
        let ticks = Int64Array::from_iter_values(SECONDS.map(|seconds| seconds * factor));
        let expected = format!("looks like {unit}; send Unix seconds or an Arrow timestamp");
        let refusal = Sample::valid().with("timestamp", ticks).refusal();
        assert!(refusal.contains(&expected), "{refusal}");
    }
}

#[test]
fn integer_milliseconds_are_recognised() {
    let millis = Int64Array::from_iter_values(SECONDS.map(|seconds| seconds * 1_000));
    refused(
        &Sample::valid().with("timestamp", millis),
        "column 'timestamp': row 0: 1767225590000 looks like milliseconds; send Unix seconds or an Arrow timestamp \
         (4 bad rows: 0, 1, 2, ...)",
    );
    let edge = Int64Array::from(vec![1, 1, 1, 100_000_000_000]);
    refused(
        &Sample::valid().with("timestamp", edge),
        "column 'timestamp': row 3: 5138-11-16T09:46:40Z is more than 3600s ahead of the clock (2026-01-01T00:00:00Z) \
         (1 bad row: 3)",
    );
    let negative = Int64Array::from(vec![1, -5, 1, 1]);
    refused(
        &Sample::valid().with("timestamp", negative),
        "column 'timestamp': row 1: 1969-12-31T23:59:55Z is before 1970-01-01T00:00:00Z (1 bad row: 1)",
    );
}

#[test]
fn identifiers_must_have_1_to_256_bytes() {
    let long = "x".repeat(300);
    let with = |name: &str, texts: Vec<&str>| Sample::valid().with(name, StringArray::from(texts)).refusal();
    assert_eq!(
        with("device_id", vec!["a", "", "b", &long]),
        "column 'device_id': row 1: \"\" has 0 bytes, not 1 to 256 (2 bad rows: 1, 3)"
    );
    let shown = "x".repeat(64);
    assert_eq!(
        with("type", vec!["a", "b", "c", &long]),
        format!("column 'type': row 3: \"{shown}\"... has 300 bytes, not 1 to 256 (1 bad row: 3)")
    );
    let wide = "é".repeat(129);
    assert!(with("type", vec!["a", "b", "c", &wide]).contains("has 258 bytes"));
}

#[test]
fn values_must_be_finite() {
    let values = numbers([1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
    refused(
        &Sample::valid().renamed("value", "metric_value").with("metric_value", values),
        "column 'metric_value': row 1: NaN is not a finite number (3 bad rows: 1, 2, 3)",
    );
    let values = numbers([1.0, 2.0, f64::NEG_INFINITY, 3.0]);
    refused(
        &Sample::valid().with("value", values),
        "column 'value': row 2: -inf is not a finite number (1 bad row: 2)",
    );
}

#[test]
fn positions_must_be_on_the_globe() {
    let latitudes = Float64Array::from(vec![Some(91.0), Some(90.000_000_1), None, Some(f64::NAN)]);
    refused(
        &Sample::valid().with("latitude", latitudes),
        "column 'latitude': row 0: 91 is not in [-90, 90] (3 bad rows: 0, 1, 3)",
    );
    let longitudes = Float64Array::from(vec![Some(8.5), Some(-180.5), None, Some(f64::INFINITY)]);
    refused(
        &Sample::valid().renamed("longitude", "lng").with("lng", longitudes),
        "column 'lng': row 1: -180.5 is not in [-180, 180] (2 bad rows: 1, 3)",
    );
}

#[test]
fn half_a_position_is_refused() {
    let longitudes = Float64Array::from(vec![Some(8.5), None, None, None]);
    refused(
        &Sample::valid().renamed("latitude", "lat").with("longitude", longitudes),
        "column 'longitude': row 1: null stands beside 'lat' = -33.9: give both or neither (2 bad rows: 1, 3)",
    );
    let longitudes = numbers([8.5, 151.2, 3.0, 8.5]);
    refused(
        &Sample::valid().with("longitude", longitudes),
        "column 'latitude': row 2: null stands beside 'longitude' = 3: give both or neither (1 bad row: 2)",
    );
    let crossed = Float64Array::from(vec![None, Some(151.2), Some(3.0), Some(8.5)]);
    refused(
        &Sample::valid().with("longitude", crossed),
        "column 'longitude': row 0: null stands beside 'latitude' = 47.4: give both or neither (1 bad row: 0)",
    );
}

#[test]
fn metadata_must_be_a_json_object() {
    let with =
        |texts: Vec<Option<&str>>| Sample::valid().with("metadata", StringArray::from(texts)).refusal();
    assert_eq!(
        with(vec![Some("{}"), None, Some("[1]"), Some("[1]")]),
        "column 'metadata': row 2: \"[1]\" is not a JSON object: invalid type: sequence, expected an object at line 1 \
         column 0 (2 bad rows: 2, 3)"
    );
    assert_eq!(
        with(vec![Some("{\"a\":}"), None, None, None]),
        "column 'metadata': row 0: \"{\\\"a\\\":}\" is not a JSON object: expected value at line 1 column 6 (1 bad row: 0)"
    );
    assert!(
        with(vec![None, Some(""), None, None])
            .starts_with("column 'metadata': row 1: \"\" is not a JSON object")
    );
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(64 << 10));
    let text = with(vec![None, None, None, Some(&long)]);
    assert!(text.ends_with("xxx\"... has 65544 bytes, at most 65536 (1 bad row: 3)"), "{text}");
    assert!(text.len() < 200, "long values are shortened: {text}");
}

#[test]
fn row_numbers_of_a_slice_count_from_its_start() {
    let values = numbers([f64::NAN, 1.0, f64::NAN, 2.0]);
    let batch = Sample::valid().with("value", values).batch().slice(1, 3);
    assert_eq!(refusal(&batch), "column 'value': row 1: NaN is not a finite number (1 bad row: 1)");
    assert_eq!(batch.column(3).len(), 3);
}

#[test]
fn bad_rows_are_left_out_and_the_others_kept() {
    let sample = Sample::valid()
        .with("value", Float64Array::from(vec![f64::NAN, 0.4, -3.0, 21.0]))
        .with("latitude", Float64Array::from(vec![Some(47.4), Some(91.0), None, Some(47.4)]));
    let (kept, bad) = normaliser().normalise_valid(&sample.batch()).unwrap();
    let all = Sample::valid().normalised();
    assert_eq!(rows(&kept.unwrap()), rows(&all)[2..]);
    let found: Vec<_> = bad.iter().map(|bad| (bad.row, bad.column.as_str(), bad.value.as_str())).collect();
    assert_eq!(found, [(0, "value", "NaN"), (1, "latitude", "91")]);
    assert_eq!(bad[1].rule, "is not in [-90, 90]");
}

#[test]
fn nothing_is_left_of_a_batch_of_bad_rows() {
    let sample = Sample::valid().with("value", Float64Array::from(vec![f64::NAN; 4]));
    let (kept, bad) = normaliser().normalise_valid(&sample.batch()).unwrap();
    assert!(kept.is_none());
    assert_eq!(bad.len(), 4);
}

#[test]
fn a_batch_that_is_wrong_as_a_whole_is_refused_though_rows_may_be_left_out() {
    let sample = Sample::valid().without(&["value"]);
    assert_eq!(normaliser().normalise_valid(&sample.batch()).unwrap_err().kind(), crate::ErrorKind::Invalid);
}
