//! Metadata as maps and structs: what JSON it becomes, and what JSON cannot hold.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
        Float32Array, Float64Array, Int32Array, Int64Array, ListArray, MapArray, MapBuilder, MapFieldNames,
        RecordBatch, StringArray, StringBuilder, StructArray, TimestampMillisecondArray, UInt64Array,
    },
    buffer::{NullBuffer, OffsetBuffer},
    datatypes::{DataType, Field, Int32Type},
};

use super::sample::{Sample, normaliser, refusal, rows};

fn nested(fields: Vec<(&str, ArrayRef)>) -> StructArray {
    let fields = fields
        .into_iter()
        .map(|(name, array)| (Arc::new(Field::new(name, array.data_type().clone(), true)), array))
        .collect::<Vec<_>>();
    StructArray::from(fields)
}

/// Entries of one row of a map.
type Entries<'a> = &'a [(&'a str, Option<&'a str>)];

fn map(rows: &[Option<Entries<'_>>]) -> MapArray {
    let names = MapFieldNames { entry: "e".into(), key: "k".into(), value: "v".into() };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for row in rows {
        for (key, value) in row.unwrap_or_default() {
            builder.keys().append_value(key);
            builder.values().append_option(*value);
        }
        builder.append(row.is_some()).unwrap();
    }
    builder.finish()
}

fn metadata(batch: &RecordBatch) -> Vec<Option<String>> {
    rows(batch).into_iter().map(|row| row.metadata).collect()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn maps_become_objects_and_keep_their_nulls() {
    let column = map(&[
        Some(&[("fw", Some("1.2")), ("note", None)]),
        Some(&[]),
        None,
        Some(&[("quote \" and \u{1}", Some("line\nbreak, ünïcode"))]),
    ]);
    let batch = Sample::valid().with("metadata", column).normalised();
    let last = r#"{"quote \" and \u0001":"line\nbreak, ünïcode"}"#;
    assert_eq!(metadata(&batch), [some(r#"{"fw":"1.2","note":null}"#), some("{}"), None, some(last)]);
}

#[test]
fn slices_of_maps_keep_their_entries() {
    let column =
        map(&[Some(&[("a", Some("1"))]), None, Some(&[("b", Some("2"))]), Some(&[("c", Some("3"))])]);
    let batch = Sample::valid().with("metadata", column).batch().slice(2, 2);
    let batch = normaliser().normalise(&batch).unwrap();
    assert_eq!(metadata(&batch), [some(r#"{"b":"2"}"#), some(r#"{"c":"3"}"#)]);
}

#[test]
fn structs_become_objects_without_their_null_fields() {
    let inner = nested(vec![("rssi", Arc::new(Int32Array::from(vec![Some(-70), None, Some(1), Some(2)])))]);
    let (fields, columns, _) = nested(vec![
        ("fw", Arc::new(StringArray::from(vec![Some("1.2"), None, Some("x"), None])) as ArrayRef),
        ("radio", Arc::new(inner)),
    ])
    .into_parts();
    let nulls = NullBuffer::from(vec![true, true, false, true]);
    let column = StructArray::new(fields, columns, Some(nulls));
    let batch = Sample::valid().with("metadata", column).normalised();
    let expected = [
        some(r#"{"fw":"1.2","radio":{"rssi":-70}}"#),
        some(r#"{"radio":{}}"#),
        None,
        some(r#"{"radio":{"rssi":2}}"#),
    ];
    assert_eq!(metadata(&batch), expected);
}

#[test]
fn every_type_that_json_has_is_written() {
    let dictionary: DictionaryArray<Int32Type> = vec!["x"; 4].into_iter().collect();
    let column = nested(vec![
        ("null", arrow::array::new_null_array(&DataType::Null, 4)),
        ("yes", Arc::new(BooleanArray::from(vec![true; 4]))),
        ("i", Arc::new(Int64Array::from(vec![i64::MIN; 4]))),
        ("u", Arc::new(UInt64Array::from(vec![u64::MAX; 4]))),
        ("f32", Arc::new(Float32Array::from(vec![0.1; 4]))),
        ("f64", Arc::new(Float64Array::from(vec![-1.5e300; 4]))),
        ("dec", Arc::new(Decimal128Array::from(vec![-105; 4]).with_precision_and_scale(10, 2).unwrap())),
        ("day", Arc::new(Date32Array::from(vec![1; 4]))),
        ("at", Arc::new(TimestampMillisecondArray::from(vec![1_500; 4]).with_timezone("+02:00"))),
        ("dict", Arc::new(dictionary)),
    ]);
    let batch = Sample::valid().with("metadata", column).normalised();
    let expected = concat!(
        r#"{"yes":true,"i":-9223372036854775808,"u":18446744073709551615,"f32":0.1,"f64":-1.5e+300,"#,
        r#""dec":-1.05,"day":"1970-01-02","at":"1970-01-01T00:00:01.500Z","dict":"x"}"#
    );
    assert_eq!(metadata(&batch)[3], some(expected));
}

#[test]
fn lists_keep_their_nulls() {
    let items = vec![Some(vec![Some(1), None]), None, Some(vec![]), Some(vec![Some(2)])];
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(items);
    let column = nested(vec![("l", Arc::new(lists) as ArrayRef)]);
    let whole = Sample::valid().with("metadata", column);
    let expected = [some(r#"{"l":[1,null]}"#), some("{}"), some(r#"{"l":[]}"#), some(r#"{"l":[2]}"#)];
    assert_eq!(metadata(&whole.normalised()), expected);
    let tail = normaliser().normalise(&whole.batch().slice(2, 2)).unwrap();
    assert_eq!(metadata(&tail), expected[2..]);
}

#[test]
fn text_is_kept_as_it_came() {
    let text = " {\"b\" : 1, \"a\":[ ]}\n";
    let batch = Sample::valid().with("metadata", StringArray::from(vec![text; 4])).normalised();
    assert_eq!(metadata(&batch)[0], some(text));
}

#[test]
fn what_json_cannot_hold_is_refused() {
    let column = nested(vec![(
        "a",
        Arc::new(Float64Array::from(vec![1.0, f64::NAN, 2.0, f64::INFINITY])) as ArrayRef,
    )]);
    assert_eq!(
        Sample::valid().with("metadata", column).refusal(),
        "column 'metadata': row 1: \"{\\\"a\\\":\" is followed by NaN or infinity, which JSON does not have \
         (2 bad rows: 1, 3)"
    );
    let column = nested(vec![("raw", Arc::new(BinaryArray::from(vec![&b"x"[..]; 4])) as ArrayRef)]);
    assert_eq!(
        Sample::valid().with("metadata", column).refusal(),
        "column 'metadata.raw': type Binary is not accepted; send a type that JSON has, or JSON as text"
    );
}

#[test]
fn long_objects_are_refused_and_the_longest_is_kept() {
    let fitting = "x".repeat((64 << 10) - r#"{"k":""}"#.len());
    let batch = Sample::valid().with("metadata", map(&[Some(&[("k", Some(&fitting))]), None, None, None]));
    assert_eq!(metadata(&batch.normalised())[0].as_ref().map(String::len), Some(64 << 10));
    let long = format!("{fitting}x");
    let batch = Sample::valid().with("metadata", map(&[Some(&[]), None, Some(&[("k", Some(&long))]), None]));
    assert!(
        batch.refusal().ends_with("has more than 65536 bytes as JSON (1 bad row: 2)"),
        "{}",
        batch.refusal()
    );
}

#[test]
fn amplified_text_is_refused_before_it_is_written() {
    let text = format!("{{\"k\":\"{}\"}}", "x".repeat(60_000));
    let rows = 5_000;
    let column =
        DictionaryArray::new(Int32Array::from_value(0, rows), Arc::new(StringArray::from(vec![text])));
    let batch = Sample::valid()
        .without(&["latitude", "longitude"])
        .with("timestamp", Int64Array::from_value(1, rows))
        .with("device_id", StringArray::new_repeated("d", rows))
        .with("type", StringArray::new_repeated("t", rows))
        .with("value", Float64Array::from_value(1.0, rows))
        .with("metadata", column)
        .batch();
    assert_eq!(
        refusal(&batch),
        "column 'metadata': 300040000 bytes of text in one batch, at most 268435456; send smaller batches"
    );
}

#[test]
fn deeply_nested_types_are_refused() {
    let mut column: ArrayRef = Arc::new(Int32Array::from(vec![1; 4]));
    for _ in 0..80 {
        let field = Arc::new(Field::new("i", column.data_type().clone(), true));
        let offsets = OffsetBuffer::from_lengths([1; 4]);
        column = Arc::new(ListArray::new(field, offsets, column, None));
    }
    let column = nested(vec![("deep", column)]);
    let refusal = Sample::valid().with("metadata", column).refusal();
    assert!(refusal.ends_with("the type is nested deeper than 64"), "{refusal}");
}
