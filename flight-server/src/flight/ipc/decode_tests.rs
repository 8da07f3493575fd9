//! Tests of the decoder on messages that arrow never writes.

use arrow::{
    array::{ArrayRef, DictionaryArray, Int64Array, StringArray, StringViewArray},
    datatypes::Int8Type,
};
use arrow_flight::utils::batches_to_flight_data;

use super::*;

const LIMITS: Limits = Limits { body_bytes_max: 1 << 20, rows_max: 1 << 16 };

#[test]
fn good_messages_decode_to_what_was_sent() {
    let batch = batch(vec![("n", Arc::new(Int64Array::from(vec![Some(1), None]))), ("t", text(&["a", "b"]))]);
    let decoded = decode_all(&messages(&batch)).unwrap();
    assert_eq!(decoded, [batch]);
}

#[test]
fn too_many_rows_are_refused() {
    let batch = batch(vec![("n", Arc::new(Int64Array::from(vec![0; (1 << 16) + 1])))]);
    let error = decode_all(&messages(&batch)).unwrap_err().to_string();
    assert!(error.contains("more than the limit of 65536"), "{error}");
}

#[test]
fn views_that_repeat_a_long_value_are_refused() {
    let long = "x".repeat(1_000);
    let mut builder = arrow::array::builder::StringViewBuilder::new().with_deduplicate_strings();
    for _ in 0..2_000 {
        builder.append_value(&long);
    }
    let batch = batch(vec![("t", Arc::new(builder.finish()))]);
    let error = decode_all(&messages(&batch)).unwrap_err().to_string();
    assert!(error.contains("2000000 bytes of text"), "{error}");
}

#[test]
fn dictionary_keys_that_repeat_a_long_value_are_counted() {
    let values: ArrayRef = text(&["x".repeat(1_000).as_str()]);
    let keys = arrow::array::Int8Array::from(vec![0_i8; 2_000]);
    let array = DictionaryArray::<Int8Type>::try_new(keys, values).unwrap();
    assert_eq!(repeated_bytes(&array), 2_000_000);
}

#[test]
fn short_views_are_fine() {
    let batch = batch(vec![("t", Arc::new(StringViewArray::from(vec!["a"; 1_000])))]);
    assert_eq!(decode_all(&messages(&batch)).unwrap(), [batch]);
}

#[test]
fn a_batch_before_its_schema_is_refused() {
    let batch = batch(vec![("t", text(&["a"]))]);
    let error = decode_all(&messages(&batch)[1..]).unwrap_err().to_string();
    assert!(error.contains("before the schema"), "{error}");
}

#[test]
fn a_second_schema_is_refused() {
    let messages = messages(&batch(vec![("t", text(&["a"]))]));
    let error = decode_all(&[messages[0].clone(), messages[0].clone()]).unwrap_err().to_string();
    assert!(error.contains("second schema"), "{error}");
}

#[test]
fn metadata_alone_is_nothing() {
    let message = FlightData { app_metadata: Bytes::from_static(b"{}"), ..FlightData::default() };
    assert!(matches!(BatchDecoder::new(LIMITS).decode_here(&message), Ok(Decoded::Nothing)));
}

#[test]
fn no_change_of_one_byte_panics() {
    let nulls: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
    let views: ArrayRef =
        Arc::new(StringViewArray::from(vec!["a", "b", "a text that does not fit into a view"]));
    let good = messages(&batch(vec![("n", nulls), ("t", text(&["a", "b", "c"])), ("v", views)]));
    for message in 0..good.len() {
        for at in 0..good[message].data_header.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut mutated = good.clone();
                let mut header = good[message].data_header.to_vec();
                header[at] ^= flip;
                mutated[message].data_header = Bytes::from(header);
                let mut decoder = BatchDecoder::new(LIMITS);
                for data in &mutated {
                    // The checks must come before arrow: a panic would be caught in production, not here.
                    let _any = decoder.decode_checked(&data.data_header, &data.data_body);
                }
            }
        }
    }
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .unwrap()
}

fn text(texts: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(texts.to_vec()))
}

fn messages(batch: &RecordBatch) -> Vec<FlightData> {
    batches_to_flight_data(&batch.schema(), vec![batch.clone()]).unwrap()
}

fn decode_all(messages: &[FlightData]) -> Result<Vec<RecordBatch>, DecodeError> {
    let mut decoder = BatchDecoder::new(LIMITS);
    let mut batches = Vec::new();
    for message in messages {
        if let Decoded::Batch(batch) = decoder.decode_here(message)? {
            batches.push(batch);
        }
    }
    Ok(batches)
}
