//! "Any number" over DoPut: every type of number in each column of numbers, as the double nearest to it.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, AsArray, Decimal32Array, Decimal64Array, Decimal128Array, Decimal256Array, DictionaryArray,
        Float64Array, Int8Array, Int32Array, RecordBatch, StringArray, UInt64Array,
    },
    compute::cast,
    datatypes::{DataType, Float64Type, i256},
};
use arrow_flight::{
    FlightData,
    encode::{DictionaryHandling, FlightDataEncoderBuilder},
};
use futures::{TryStreamExt, stream};
use tonic::Code;

use crate::harness::{TestServer, batch_of, event_columns, events_with, messages_of};

#[tokio::test(flavor = "multi_thread")]
async fn every_type_of_number_is_a_value() {
    let server = TestServer::start().await;
    let digits = 9_903_553_410_406_639_i64;
    let decimal = Decimal128Array::from(vec![i128::from(digits)]).with_precision_and_scale(38, 14).unwrap();
    let in_dictionary = DictionaryArray::new(Int32Array::from(vec![0]), Arc::new(decimal.clone()));
    let cases: Vec<(ArrayRef, f64)> = vec![
        (Arc::new(Decimal32Array::from(vec![-1_255]).with_precision_and_scale(9, 3).unwrap()), -1.255),
        (
            Arc::new(Decimal64Array::from(vec![digits]).with_precision_and_scale(18, 14).unwrap()),
            99.03553410406639,
        ),
        (Arc::new(decimal), 99.03553410406639),
        (
            Arc::new(
                Decimal256Array::from(vec![i256::from_i128(digits.into())])
                    .with_precision_and_scale(76, 14)
                    .unwrap(),
            ),
            99.03553410406639,
        ),
        (Arc::new(in_dictionary), 99.03553410406639),
        (Arc::new(UInt64Array::from(vec![u64::MAX])), 18_446_744_073_709_552_000.0),
        (Arc::new(Int8Array::from(vec![-7])), -7.0),
        (cast(&Float64Array::from(vec![0.5]), &DataType::Float16).unwrap(), 0.5),
    ];
    for (index, (column, expected)) in cases.into_iter().enumerate() {
        let name = column.data_type().clone();
        let mut columns = event_columns(1);
        columns.insert("value", column);
        columns.insert("type", Arc::new(StringArray::from(vec![format!("case-{index}")])));
        let (acks, error) = server.put(encoded(batch_of(columns)).await).await;
        assert!(error.is_none() && acks.len() == 1, "{name}: {error:?}");
        let sql = format!("SELECT value FROM events WHERE type = 'case-{index}'");
        let found = server.query(&sql).await.unwrap()[0].column(0).as_primitive::<Float64Type>().value(0);
        assert_eq!(found.to_bits(), expected.to_bits(), "{name}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn decimal_degrees_are_degrees_and_must_be_on_the_globe() {
    let server = TestServer::start().await;
    let degrees = |digits: i128| -> ArrayRef {
        Arc::new(Decimal128Array::from(vec![digits]).with_precision_and_scale(20, 6).unwrap())
    };
    let batch = |latitude| {
        let mut columns = event_columns(1);
        columns.insert("latitude", degrees(latitude));
        columns.insert("longitude", degrees(13_405_000));
        batch_of(columns)
    };
    server.ingest(vec![batch(52_520_008)]).await;
    let found = server.query("SELECT latitude, longitude FROM events").await.unwrap();
    let column = |index: usize| found[0].column(index).as_primitive::<Float64Type>().value(0);
    assert_eq!((column(0), column(1)), (52.520008, 13.405));
    let (_, error) = server.put(messages_of(&[batch(90_000_001)])).await;
    let error = error.unwrap();
    assert!(error.message().contains("column 'latitude': row 0: 90.000001 is not in [-90, 90]"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_number_says_what_is() {
    let server = TestServer::start().await;
    let text: ArrayRef = Arc::new(StringArray::from(vec!["1.5"]));
    let error = server.refused(events_with("value", text)).await;
    assert_eq!(error.code(), Code::InvalidArgument);
    let said = "column 'value': type Utf8 is not accepted; send floats, integers or decimals";
    assert!(error.message().contains(said), "{error}");
}

/// The messages of a batch, dictionaries as such.
async fn encoded(batch: RecordBatch) -> Vec<FlightData> {
    let encoder = FlightDataEncoderBuilder::new().with_dictionary_handling(DictionaryHandling::Resend);
    encoder.build(stream::iter([Ok(batch)])).try_collect().await.unwrap()
}
