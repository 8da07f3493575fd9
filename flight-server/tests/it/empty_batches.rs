//! Batches without rows: taken at every door, acknowledged in their turn, never in the way of others.

use std::sync::Arc;

use arrow::array::NullArray;
use arrow_flight::sql::DoPutUpdateResult;
use prost::Message;
use serde_json::{Value, json};
use tonic::Code;

use crate::harness::{TestServer, batch_of, event_columns, events, messages_of};

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_batch_is_acknowledged_between_others() {
    let server = TestServer::start().await;
    let (acks, error) = server.put(messages_of(&[events(2), events(0), events(3), events(0)])).await;
    assert!(error.is_none(), "{error:?}");
    let acks: Vec<Value> =
        acks.iter().map(|ack| serde_json::from_slice(&ack.app_metadata).unwrap()).collect();
    let rows: Vec<_> = acks.iter().map(|ack| ack["rows"].as_u64().unwrap()).collect();
    assert_eq!(rows, [2, 0, 3, 0]);
    assert_eq!(acks[1], json!({"table": "events", "rows": 0, "stream": null, "sequence": null}));
    assert!(acks[2]["sequence"].as_u64() >= acks[0]["sequence"].as_u64());
    assert_eq!(server.count().await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_empty_batches_is_nothing() {
    let server = TestServer::start().await;
    let untyped = event_columns(1).into_keys().map(|name| (name, NullArray::new(0)));
    let untyped = batch_of(untyped.map(|(name, column)| (name, Arc::new(column) as _)).collect());
    for batches in [vec![events(0)], vec![events(0); 100], vec![untyped]] {
        let (acks, error) = server.put(messages_of(&batches)).await;
        assert!(error.is_none(), "{error:?}");
        assert_eq!(acks.len(), batches.len());
    }
    assert_eq!(server.count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_a_message_is_answered_with_no_rows() {
    let server = TestServer::start().await;
    let (answers, error) = server.put(Vec::new()).await;
    assert!(answers.len() == 1 && error.is_none(), "{error:?}");
    assert_eq!(DoPutUpdateResult::decode(answers[0].app_metadata.clone()).unwrap().record_count, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_batch_with_a_column_that_does_not_exist_is_a_bad_batch() {
    let server = TestServer::start().await;
    let mut columns = event_columns(0);
    columns.insert("colour", Arc::new(NullArray::new(0)));
    let (acks, error) = server.put(messages_of(&[batch_of(columns)])).await;
    assert!(acks.is_empty());
    let error = error.unwrap();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.message().starts_with("batch 1: ") && error.message().contains("colour"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_events_over_http_are_no_events() {
    let server = TestServer::start().await;
    for (media_type, on_error) in [
        ("application/json", ""),
        ("application/json", "?on_error=skip"),
        ("application/cloudevents-batch+json", ""),
    ] {
        let (status, answer) = server.post(&format!("events{on_error}"), media_type, "[ ]".to_owned()).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(status, 200, "{answer}");
        assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(0), &json!(0)));
        assert_eq!((&answer["stream"], &answer["sequence"]), (&Value::Null, &Value::Null));
    }
    let (status, _) = server.post("events", "application/x-ndjson", "\n".to_owned()).await;
    assert_eq!(status, 400, "an empty body is no list of events");
    assert_eq!(server.count().await, 0);
}
