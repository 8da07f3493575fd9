//! Metadata is kept as it was sent, or refused by one rule, whichever door it came through.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, MapBuilder, StringArray, StringBuilder, StructArray},
    datatypes::{DataType, Field},
};

use crate::harness::{START, TestServer, batch_of, event_columns, events_with, messages_of};

const KEPT: [&str; 8] = [
    r#"{"b": 12345678901234567890123, "a": 1.10, "a": 2}"#,
    r#"{"z":1,"a":{"y":[1.0,1e2,-0.0],"b":null}}"#,
    r#"{"big":18446744073709551616,"small":-9223372036854775809}"#,
    r#"{"text":"\u00e4 ä \ud83d\ude00 \/ \"","":0}"#,
    "{ \"spaces\" :\t[ 1 , 2 ] }",
    r#"{"digits":0.1000000000000000055511151231257827021181583404541015625}"#,
    r#"{"denormal":4.9e-324,"tiny":1e-400}"#,
    "{}",
];

const REFUSED: [&str; 4] = [r#"{"a":1e400}"#, r#"{"half":"\ud800"}"#, r#"{"half\ud800":1}"#, r#"[{"a":1}]"#];

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_the_same_text_through_every_door() {
    let server = TestServer::start().await;
    for (number, text) in KEPT.into_iter().enumerate() {
        let flight: ArrayRef = Arc::new(StringArray::from(vec![text]));
        server.ingest(vec![typed(number, "flight", flight)]).await;
        for (door, media_type, body) in bodies(number, text) {
            let (status, answer) = server.post("events", media_type, body).await;
            assert_eq!(status, 200, "{door} {text}: {}", String::from_utf8_lossy(&answer));
        }
        let sql = format!("SELECT metadata FROM events WHERE device_id = 'd{number}'");
        let stored = server.query(&sql).await.unwrap();
        let stored: Vec<&str> = stored
            .iter()
            .flat_map(|batch| batch.column(0).as_string::<i32>().iter().map(Option::unwrap))
            .collect();
        assert_eq!(stored, vec![text; 4], "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_door_refuses_all_do() {
    let server = TestServer::start().await;
    for (number, text) in REFUSED.into_iter().enumerate() {
        let flight: ArrayRef = Arc::new(StringArray::from(vec![text]));
        server.refused(typed(number, "flight", flight)).await;
        for (door, media_type, body) in bodies(number, text) {
            let (status, _) = server.post("events", media_type, body).await;
            assert_eq!(status, 422, "{door} took {text}");
        }
    }
    assert_eq!(server.count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn maps_and_structs_keep_order_digits_and_repeated_keys() {
    let server = TestServer::start().await;
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for (key, value) in [("b", "1.10"), ("a", "ä\""), ("b", "2")] {
        map.keys().append_value(key);
        map.values().append_value(value);
    }
    map.append(true).unwrap();
    let map: ArrayRef = Arc::new(map.finish());
    let field = |name: &str, data_type: &DataType| Arc::new(Field::new(name, data_type.clone(), true));
    let number: ArrayRef = Arc::new(arrow::array::Float64Array::from(vec![99.03553410406639]));
    let whole: ArrayRef = Arc::new(arrow::array::UInt64Array::from(vec![u64::MAX]));
    let structure: ArrayRef = Arc::new(StructArray::from(vec![
        (field("z", number.data_type()), number),
        (field("a", whole.data_type()), whole),
    ]));
    server.ingest(vec![typed(0, "map", map)]).await;
    server.ingest(vec![typed(1, "struct", structure)]).await;
    let stored = server.query("SELECT metadata FROM events ORDER BY type").await.unwrap();
    let stored: Vec<&str> =
        stored.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten()).collect();
    let expected =
        [r#"{"b":"1.10","a":"ä\"","b":"2"}"#, r#"{"z":99.03553410406639,"a":18446744073709551615}"#];
    assert_eq!(stored, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_given_twice_is_refused() {
    let server = TestServer::start().await;
    let seconds = START / 1_000_000;
    let body = format!(r#"{{"device_id":"d","timestamp":{seconds},"type":"t","value":1,"value":2}}"#);
    let (status, answer) = server.post("events", "application/json", body).await;
    assert_eq!(status, 422);
    assert!(String::from_utf8(answer).unwrap().contains("is given twice"));
    let good = messages_of(&[batch_of(event_columns(1))]);
    assert!(server.put(good).await.1.is_none());
}

fn typed(number: usize, door: &str, metadata: ArrayRef) -> arrow::array::RecordBatch {
    let batch = events_with("metadata", metadata);
    let mut columns = event_columns(1);
    columns.insert("metadata", Arc::clone(batch.column_by_name("metadata").unwrap()));
    columns.insert("device_id", Arc::new(StringArray::from(vec![format!("d{number}")])));
    columns.insert("type", Arc::new(StringArray::from(vec![door])));
    batch_of(columns)
}

/// The event in each body that HTTP takes.
fn bodies(number: usize, metadata: &str) -> [(&'static str, &'static str, String); 3] {
    let seconds = START / 1_000_000;
    let event = format!(
        r#"{{"device_id":"d{number}","timestamp":{seconds},"type":"http","value":1,"metadata":{metadata}}}"#
    );
    let cloud = format!(r#"{{"specversion":"1.0","id":"1","source":"s","type":"t","data":{event}}}"#);
    [
        ("JSON", "application/json", event.clone()),
        ("NDJSON", "application/x-ndjson", event.replace('\n', " ")),
        ("CloudEvent", "application/cloudevents+json", cloud),
    ]
}
