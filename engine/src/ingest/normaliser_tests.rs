//! What ingest accepts: every spelling and type, and what it shares or copies.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, Decimal32Array, Decimal64Array, Decimal128Array, Decimal256Array,
        DictionaryArray, Float32Array, Float64Array, Int8Array, Int32Array, Int64Array, LargeStringArray,
        MapBuilder, NullArray, RecordBatch, RunArray, StringArray, StringBuilder, StringViewArray,
        StructArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
        TimestampSecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
    },
    buffer::{Buffer, NullBuffer},
    compute::cast,
    datatypes::{DataType, Field, Fields, Int64Type, TimestampMicrosecondType, i256},
    ipc::{reader::StreamDecoder, writer::StreamWriter},
};
use h3o::{LatLng, Resolution};

use super::{
    sample::{Row, SECONDS, Sample, normaliser, rows},
    to_query,
};
use crate::schema::TableSpec;

fn cell(lat: f64, lng: f64) -> i64 {
    u64::from(LatLng::new(lat, lng).unwrap().to_cell(Resolution::Nine)).cast_signed()
}

fn expected() -> Vec<Row> {
    rows(&Sample::valid().normalised())
}

#[test]
fn valid_batch_becomes_the_wal_schema() {
    let batch = Sample::valid().normalised();
    assert_eq!(batch.schema_ref(), TableSpec::events().wal_schema());
    let first = Row {
        micros: SECONDS[0] * 1_000_000,
        device_id: "d1".to_owned(),
        event_type: "temperature".to_owned(),
        value: 20.5,
        position: Some((47.4, 8.5)),
        cell: Some(cell(47.4, 8.5)),
        metadata: Some(r#"{"fw":"1.2"}"#.to_owned()),
    };
    let rows = rows(&batch);
    assert_eq!(rows[0], first);
    assert_eq!(rows[1].cell, Some(cell(-33.9, 151.2)));
    assert_eq!((rows[2].position, rows[2].cell, rows[2].metadata.as_deref()), (None, None, None));
}

#[test]
fn every_spelling_is_accepted() {
    for (name, spelling) in [
        ("timestamp", "ts"),
        ("timestamp", "time"),
        ("type", "metric_name"),
        ("value", "metric_value"),
        ("latitude", "lat"),
        ("longitude", "lon"),
        ("longitude", "lng"),
    ] {
        let batch = Sample::valid().renamed(name, spelling).normalised();
        assert_eq!(rows(&batch), expected(), "{spelling}");
    }
}

#[test]
fn column_order_does_not_matter() {
    let batch = Sample::valid().batch();
    let reversed: Vec<usize> = (0..batch.num_columns()).rev().collect();
    let batch = normaliser().normalise(&batch.project(&reversed).unwrap()).unwrap();
    assert_eq!(rows(&batch), expected());
}

#[test]
fn every_timestamp_type_is_accepted() {
    let nanos = SECONDS.iter().map(|seconds| seconds * 1_000_000_000 + 999);
    let millis = SECONDS.iter().map(|seconds| seconds * 1_000);
    let micros = SECONDS.iter().map(|seconds| seconds * 1_000_000);
    let columns: [ArrayRef; 9] = [
        Arc::new(TimestampSecondArray::from_iter_values(SECONDS)),
        Arc::new(TimestampSecondArray::from_iter_values(SECONDS).with_timezone("+05:30")),
        Arc::new(TimestampMillisecondArray::from_iter_values(millis)),
        Arc::new(TimestampMicrosecondArray::from_iter_values(micros.clone())),
        Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("Europe/Zurich")),
        Arc::new(TimestampNanosecondArray::from_iter_values(nanos).with_timezone("+00:00")),
        Arc::new(Int64Array::from_iter_values(SECONDS)),
        Arc::new(Int32Array::from_iter_values(SECONDS.map(|seconds| i32::try_from(seconds).unwrap()))),
        Arc::new(UInt32Array::from_iter_values(SECONDS.map(|seconds| u32::try_from(seconds).unwrap()))),
    ];
    for column in columns {
        let batch = Sample::valid().with("timestamp", Arc::clone(&column)).normalised();
        assert_eq!(rows(&batch), expected(), "{}", column.data_type());
    }
}

#[test]
fn limits_of_timestamps_are_inside() {
    let limit = super::sample::NOW_MICROS + 3_600_000_000;
    let edges = TimestampMicrosecondArray::from(vec![0, 1, limit - 1, limit]);
    let batch = Sample::valid().with("timestamp", edges).normalised();
    let micros: Vec<i64> = rows(&batch).iter().map(|row| row.micros).collect();
    assert_eq!(micros, [0, 1, limit - 1, limit]);
    let nanos = TimestampNanosecondArray::from(vec![0, 999, 1_000, limit * 1_000 + 999]);
    let batch = Sample::valid().with("timestamp", nanos).normalised();
    let micros: Vec<i64> = rows(&batch).iter().map(|row| row.micros).collect();
    assert_eq!(micros, [0, 0, 1, limit]);
}

#[test]
fn every_text_type_is_accepted() {
    let texts = [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View];
    let keys = [DataType::Int8, DataType::UInt8, DataType::Int32, DataType::UInt64];
    let dictionaries = keys.iter().flat_map(|key| {
        texts.iter().map(|text| DataType::Dictionary(Box::new(key.clone()), Box::new(text.clone())))
    });
    for data_type in texts.iter().cloned().chain(dictionaries) {
        for name in ["device_id", "type", "metadata"] {
            let sample = Sample::valid();
            let column = cast(&sample.column(name), &data_type).unwrap();
            assert_eq!(rows(&sample.with(name, column).normalised()), expected(), "{name}: {data_type}");
        }
    }
}

#[test]
fn only_referenced_dictionary_values_count() {
    let values = StringArray::from(vec![None, Some(""), Some("d9"), Some(&"x".repeat(300))]);
    let keys = UInt8Array::from(vec![2, 2, 2, 2]);
    let batch = Sample::valid().with("device_id", DictionaryArray::new(keys, Arc::new(values))).normalised();
    assert!(rows(&batch).iter().all(|row| row.device_id == "d9"));

    let values = StringArray::from(vec![None, Some("not json"), Some("{}")]);
    let keys = Int8Array::from(vec![Some(0), None, Some(2), None]);
    let batch = Sample::valid().with("metadata", DictionaryArray::new(keys, Arc::new(values))).normalised();
    let metadata: Vec<_> = rows(&batch).into_iter().map(|row| row.metadata).collect();
    assert_eq!(metadata, [None, None, Some("{}".to_owned()), None]);
}

#[test]
fn dictionary_without_values_is_all_null() {
    let column = DictionaryArray::new(Int32Array::new_null(4), Arc::new(StringArray::new_null(0)));
    let batch = Sample::valid().with("metadata", column).normalised();
    assert!(rows(&batch).iter().all(|row| row.metadata.is_none()));
}

#[test]
fn decimals_of_every_width_are_values_and_degrees() {
    let digits = [2050, 40, -300, 2100];
    let narrow = digits.map(|digits| i32::try_from(digits).unwrap());
    let columns: [ArrayRef; 4] = [
        Arc::new(Decimal32Array::from(narrow.to_vec()).with_precision_and_scale(9, 2).unwrap()),
        Arc::new(Decimal64Array::from(digits.to_vec()).with_precision_and_scale(10, 2).unwrap()),
        Arc::new(
            Decimal128Array::from(digits.map(i128::from).to_vec()).with_precision_and_scale(10, 2).unwrap(),
        ),
        Arc::new(
            Decimal256Array::from(digits.map(|digits| i256::from_i128(digits.into())).to_vec())
                .with_precision_and_scale(50, 2)
                .unwrap(),
        ),
    ];
    for column in columns {
        assert_eq!(rows(&Sample::valid().with("value", column).normalised()), expected());
    }
    let degrees = Decimal128Array::from(vec![Some(474), Some(-339), None, Some(474)]);
    let degrees = degrees.with_precision_and_scale(4, 1).unwrap();
    assert_eq!(rows(&Sample::valid().with("latitude", degrees).normalised()), expected());
}

#[test]
fn numbers_and_times_may_be_encoded_as_dictionaries() {
    let keys = || Int32Array::from(vec![0, 1, 2, 3]);
    let sample = Sample::valid().batch();
    for name in ["value", "timestamp"] {
        let column = sample.column_by_name(name).unwrap();
        let encoded = DictionaryArray::new(keys(), Arc::clone(column));
        assert_eq!(rows(&Sample::valid().with(name, encoded).normalised()), expected(), "{name}");
    }
    let doubled = Decimal128Array::from(vec![Some(205), Some(4), Some(-30), Some(210), None]);
    let doubled = doubled.with_precision_and_scale(4, 1).unwrap();
    let encoded = DictionaryArray::new(keys(), Arc::new(doubled));
    assert_eq!(rows(&Sample::valid().with("value", encoded).normalised()), expected());
    let runs = Int32Array::from(vec![1, 2, 3, 4]);
    let encoded = RunArray::try_new(&runs, sample.column_by_name("value").unwrap()).unwrap();
    assert_eq!(rows(&Sample::valid().with("value", encoded).normalised()), expected());
}

#[test]
fn a_batch_without_rows_is_checked_by_its_columns() {
    let empty = Sample::valid().batch().slice(0, 0);
    assert_eq!(normaliser().normalise(&empty).unwrap().num_rows(), 0);
    let unknown = Sample::valid().with("colour", NullArray::new(4)).batch().slice(0, 0);
    assert!(normaliser().normalise(&unknown).is_err());
}

#[test]
fn floats_and_integers_are_values() {
    let columns: [ArrayRef; 8] = [
        Arc::new(Float32Array::from(vec![1.0, 2.0, 3.0, 4.0])),
        Arc::new(Int8Array::from(vec![1, 2, 3, 4])),
        Arc::new(Int32Array::from(vec![1, 2, 3, 4])),
        Arc::new(Int64Array::from(vec![1, 2, 3, 4])),
        Arc::new(UInt8Array::from(vec![1, 2, 3, 4])),
        Arc::new(UInt16Array::from(vec![1, 2, 3, 4])),
        Arc::new(UInt64Array::from(vec![1, 2, 3, 4])),
        cast(&Float32Array::from(vec![1.0, 2.0, 3.0, 4.0]), &DataType::Float16).unwrap(),
    ];
    for column in columns {
        let batch = Sample::valid().with("value", Arc::clone(&column)).normalised();
        let values: Vec<f64> = rows(&batch).iter().map(|row| row.value).collect();
        assert_eq!(values, [1.0, 2.0, 3.0, 4.0], "{}", column.data_type());
    }
}

/// A struct of the sample's position, with valid children under a null parent.
fn location(lat: &str, lng: &str) -> StructArray {
    let fields: Fields =
        [lat, lng].iter().map(|name| Arc::new(Field::new(*name, DataType::Float64, true))).collect();
    let latitudes = Arc::new(Float64Array::from(vec![47.4, -33.9, f64::NAN, 47.4]));
    let longitudes = Arc::new(Float64Array::from(vec![8.5, 151.2, 999.0, 8.5]));
    let nulls = NullBuffer::from(vec![true, true, false, true]);
    StructArray::new(fields, vec![latitudes, longitudes], Some(nulls))
}

#[test]
fn location_struct_folds_its_nulls_into_its_children() {
    for (whole, lat, lng) in
        [("location", "latitude", "longitude"), ("Location", "lat", "lon"), ("LOCATION", "Lat", "lng")]
    {
        let sample = Sample::valid().without(&["latitude", "longitude"]).with(whole, location(lat, lng));
        assert_eq!(rows(&sample.normalised()), expected(), "{whole}, {lat}, {lng}");
    }
}

#[test]
fn optional_columns_may_be_absent_or_null_typed() {
    let bare = Sample::valid().without(&["latitude", "longitude", "metadata"]);
    let nulls = Sample::valid()
        .with("latitude", NullArray::new(4))
        .with("longitude", NullArray::new(4))
        .with("metadata", NullArray::new(4));
    let location = bare.clone().with("location", NullArray::new(4));
    for sample in [bare, nulls, location] {
        let rows = rows(&sample.normalised());
        assert_eq!(rows.len(), 4);
        assert!(
            rows.iter().all(|row| row.position.is_none() && row.cell.is_none() && row.metadata.is_none())
        );
    }
}

#[test]
fn edges_of_the_globe_are_inside() {
    let batch = Sample::valid()
        .with("latitude", Float64Array::from(vec![90.0, -90.0, -0.0, 0.0]))
        .with("longitude", Float64Array::from(vec![180.0, -180.0, -0.0, 180.0]))
        .normalised();
    let cells: Vec<_> = rows(&batch).iter().map(|row| row.cell.unwrap()).collect();
    assert_eq!(cells, [cell(90.0, 180.0), cell(-90.0, -180.0), cell(0.0, 0.0), cell(0.0, 180.0)]);
}

#[test]
fn negative_zero_is_zero() {
    let zero = || Float64Array::from(vec![-0.0; 4]);
    let sample = Sample::valid().with("value", zero()).with("latitude", zero()).with("longitude", zero());
    for row in rows(&sample.normalised()) {
        let (latitude, longitude) = row.position.unwrap();
        assert!([row.value, latitude, longitude].iter().all(|number| number.is_sign_positive()));
    }
}

#[test]
fn longest_identifiers_are_accepted() {
    let device_id = "é".repeat(128);
    let batch =
        Sample::valid().with("device_id", StringArray::from(vec![device_id.as_str(); 4])).normalised();
    assert_eq!(rows(&batch)[3].device_id, device_id);
}

#[test]
fn null_buffers_without_nulls_are_accepted() {
    let all_valid = Some(NullBuffer::new_valid(4));
    let sample = Sample::valid();
    let (_, values, _) =
        sample.column("timestamp").as_primitive::<TimestampMicrosecondType>().clone().into_parts();
    let (offsets, bytes, _) = sample.column("device_id").as_string::<i32>().clone().into_parts();
    let batch = sample
        .with("timestamp", TimestampMicrosecondArray::new(values, all_valid.clone()))
        .with("device_id", StringArray::new(offsets, bytes, all_valid.clone()))
        .with("value", Float64Array::new(vec![20.5, 0.4, -3.0, 21.0].into(), all_valid))
        .normalised();
    assert_eq!(rows(&batch), expected());
}

#[test]
fn columns_that_fit_are_shared() {
    let sample = Sample::valid();
    let batch = sample.normalised();
    for name in ["timestamp", "device_id", "type", "value", "latitude", "longitude", "metadata"] {
        let (given, kept) = (sample.column(name).to_data(), batch.column_by_name(name).unwrap().to_data());
        let is_shared = given.buffers().iter().zip(kept.buffers()).all(|(a, b)| a.as_ptr() == b.as_ptr());
        assert!(is_shared, "{name} was copied");
    }
}

#[test]
fn small_slice_lets_go_of_its_parent() {
    const ROWS: usize = 10_000;
    let sample = Sample::valid()
        .with("timestamp", Int64Array::from_value(SECONDS[0], ROWS))
        .with("device_id", StringArray::new_repeated("device", ROWS))
        .with("type", StringArray::new_repeated("temperature", ROWS))
        .with("value", Float64Array::from_value(1.0, ROWS))
        .with("latitude", Float64Array::from_value(47.0, ROWS))
        .with("longitude", Float64Array::from_value(8.0, ROWS))
        .with("metadata", StringViewArray::from_iter_values(std::iter::repeat_n("{}", ROWS)));
    let whole = sample.batch();
    let slice = normaliser().normalise(&whole.slice(5_000, 10)).unwrap();
    assert_eq!(rows(&slice), rows(&normaliser().normalise(&whole).unwrap().slice(5_000, 10)));
    assert!(slice.get_array_memory_size() < 8_000, "{} bytes", slice.get_array_memory_size());
    let most = normaliser().normalise(&whole.slice(10, ROWS - 10)).unwrap();
    let shared = most.column(3).to_data().buffers()[0].data_ptr();
    assert_eq!(shared, sample.column("value").to_data().buffers()[0].data_ptr(), "most of it is in use");
}

/// The batch as a receiver decodes it: all columns in one allocation.
fn decoded(batch: &RecordBatch) -> RecordBatch {
    let mut message = Vec::new();
    let mut writer = StreamWriter::try_new(&mut message, batch.schema_ref()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    message.shrink_to_fit();
    let mut decoder = StreamDecoder::new();
    decoder.decode(&mut Buffer::from_vec(message)).unwrap().unwrap()
}

#[test]
fn columns_of_one_message_are_shared_while_most_of_it_is_in_use() {
    let long = "x".repeat(20_000);
    let text = StringArray::from(vec![format!("{{\"k\":\"{long}\"}}"); 4]);
    let used = decoded(&Sample::valid().with("metadata", text).batch());
    let kept = normaliser().normalise(&used).unwrap();
    assert_eq!(
        kept.column(3).to_data().buffers()[0].as_ptr(),
        used.column(3).to_data().buffers()[0].as_ptr()
    );

    let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for _ in SECONDS {
        builder.keys().append_value("k");
        builder.values().append_value(&long);
        builder.append(true).unwrap();
    }
    let converted = decoded(&Sample::valid().with("metadata", builder.finish()).batch());
    let kept = normaliser().normalise(&converted).unwrap();
    assert!(
        kept.column(3).get_buffer_memory_size() < 1_000,
        "the message must not stay alive for its numbers"
    );
    assert_eq!(rows(&kept)[3].value, 21.0);
}

#[test]
fn slices_of_every_representation_are_the_same_rows() {
    let sample = Sample::valid()
        .without(&["latitude", "longitude"])
        .with("location", location("lat", "lon"))
        .with("device_id", LargeStringArray::from(vec!["d1", "d2", "d3", "d1"]));
    for offset in 0..4 {
        for length in 1..=4 - offset {
            let batch = normaliser().normalise(&sample.batch().slice(offset, length)).unwrap();
            assert_eq!(rows(&batch), expected()[offset..offset + length], "{offset}, {length}");
        }
    }
}

#[test]
fn query_batch_has_the_same_values_over_the_same_text() {
    let spec = TableSpec::events();
    let long = "a device name longer than a view holds inline";
    let wal = Sample::valid().with("device_id", StringArray::from(vec!["a", long, "c", long])).normalised();
    let query = to_query(&spec, &wal).unwrap();
    assert_eq!(query.schema_ref(), spec.query_schema());
    for (kept, viewed) in wal.columns().iter().zip(query.columns()) {
        assert_eq!(&cast(viewed, kept.data_type()).unwrap(), kept);
    }
    let text = wal.column(1).as_string::<i32>().values().as_ptr();
    assert_eq!(query.column(1).as_string_view().data_buffers()[0].as_ptr(), text);
    assert_eq!(query.column(6).as_primitive::<Int64Type>().null_count(), 1);
}

#[test]
fn query_batch_of_a_slice_has_the_slice() {
    let spec = TableSpec::events();
    let wal: RecordBatch = Sample::valid().without(&["metadata"]).normalised();
    let query = to_query(&spec, &wal.slice(1, 2)).unwrap();
    assert_eq!(query, to_query(&spec, &wal).unwrap().slice(1, 2));
    assert_eq!(query.column(7).null_count(), 2);
}

#[test]
fn query_batch_needs_the_wal_schema() {
    let error = to_query(&TableSpec::events(), &Sample::valid().batch()).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Internal);
}
