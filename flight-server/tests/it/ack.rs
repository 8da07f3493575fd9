//! What `DoPut` answers when all is well.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, DictionaryArray, Float64Array},
    datatypes::Int32Type,
};
use arrow_flight::{
    FlightDescriptor,
    encode::{DictionaryHandling, FlightDataEncoderBuilder},
    sql::{
        CommandStatementIngest, DoPutUpdateResult, ProstMessageExt, TableDefinitionOptions,
        TableExistsOption, TableNotExistOption,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use prost::Message;
use serde_json::Value;
use tonic::Code;

use crate::harness::{TestServer, batch_of, event_columns, events, events_with, messages_of, schema_message};

#[tokio::test(flavor = "multi_thread")]
async fn each_batch_gets_one_ack_in_order() {
    let server = TestServer::start().await;
    let batches = vec![events(3), events(5), events(7)];
    let (acks, error) = server.put(messages_of(&batches)).await;
    assert!(error.is_none(), "{error:?}");
    let acks: Vec<Value> =
        acks.iter().map(|ack| serde_json::from_slice(&ack.app_metadata).unwrap()).collect();
    let rows: Vec<u64> = acks.iter().map(|ack| ack["rows"].as_u64().unwrap()).collect();
    assert_eq!(rows, [3, 5, 7]);
    assert!(acks.iter().all(|ack| ack["table"] == "events" && ack["stream"].is_string()));
    assert!(acks.is_sorted_by_key(|ack| ack["sequence"].as_u64().unwrap()));
    assert_eq!(server.count().await, 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_without_batches_is_answered_with_nothing() {
    let server = TestServer::start().await;
    let (acks, error) = server.put(schema_message(&events(1).schema())).await;
    assert!(error.is_none(), "{error:?}");
    assert!(acks.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_no_acks_can_send_thousands_of_batches() {
    let server = TestServer::start().await;
    let batches = vec![events(1); 2_000];
    let mut messages = messages_of(&batches);
    messages[0].flight_descriptor = Some(FlightDescriptor::new_path(vec!["events".to_owned()]));
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let mut client = server.flight().await;
    let answers = tokio::spawn(async move {
        client.do_put(tokio_stream::wrappers::ReceiverStream::new(receiver)).await.unwrap().into_inner()
    });
    for message in messages {
        sender.send(message).await.unwrap();
    }
    drop(sender);
    let acks: Vec<_> = answers.await.unwrap().try_collect().await.unwrap();
    assert_eq!(acks.len(), 2_000);
    assert_eq!(server.count().await, 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn dictionary_columns_are_read() {
    let server = TestServer::start().await;
    let mut columns = event_columns(4);
    let types: ArrayRef =
        Arc::new(vec!["a", "b", "a", "a"].into_iter().collect::<DictionaryArray<Int32Type>>());
    columns.insert("type", types);
    let batch = batch_of(columns);
    let encoder = FlightDataEncoderBuilder::new()
        .with_dictionary_handling(DictionaryHandling::Resend)
        .build(stream::iter([Ok(batch.clone()), Ok(batch)]));
    let messages: Vec<_> = encoder.map(Result::unwrap).collect().await;
    let (acks, error) = server.put(messages).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(acks.len(), 2);
    let rows = server.query("SELECT count(*) AS n FROM events WHERE type = 'a'").await.unwrap();
    assert_eq!(rows[0].column(0).to_data(), arrow::array::Int64Array::from(vec![6]).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_bad_batch_ends_the_stream_after_the_acks_before_it() {
    let server = TestServer::start().await;
    let bad = events_with("value", Arc::new(Float64Array::from(vec![f64::NAN])));
    let (acks, error) = server.put(messages_of(&[events(2), events(3), bad, events(4)])).await;
    assert_eq!(acks.len(), 2);
    let error = error.unwrap();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.message().starts_with("batch 3: "), "{}", error.message());
    assert_eq!(server.count().await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cut_keeps_whole_batches_only() {
    let server = TestServer::start().await;
    let mut messages = messages_of(&[events(2), events(3)]);
    messages[0].flight_descriptor = Some(FlightDescriptor::new_path(vec!["events".to_owned()]));
    let (sender, receiver) = tokio::sync::mpsc::channel(8);
    let mut client = server.flight().await;
    let mut answers = {
        for message in messages {
            sender.send(message).await.unwrap();
        }
        client.do_put(tokio_stream::wrappers::ReceiverStream::new(receiver)).await.unwrap().into_inner()
    };
    answers.message().await.unwrap().unwrap();
    answers.message().await.unwrap().unwrap();
    drop(answers);
    drop(client);
    drop(sender);
    assert_eq!(server.count().await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn statement_ingest_appends_and_counts() {
    let server = TestServer::start().await;
    let (answers, error) = server
        .put_to(ingest_into("events", TableExistsOption::Append), messages_of(&[events(4), events(6)]))
        .await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(DoPutUpdateResult::decode(answers[0].app_metadata.clone()).unwrap().record_count, 10);
    assert_eq!(server.count().await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn statement_ingest_refuses_what_is_no_append() {
    let server = TestServer::start().await;
    let cases = [
        ("events", TableExistsOption::Fail, Code::AlreadyExists),
        ("events", TableExistsOption::Replace, Code::InvalidArgument),
        ("nope", TableExistsOption::Append, Code::NotFound),
    ];
    for (table, exists, code) in cases {
        let (_, error) = server.put_to(ingest_into(table, exists), messages_of(&[events(1)])).await;
        assert_eq!(error.unwrap().code(), code, "{table} {exists:?}");
    }
    assert_eq!(server.count().await, 0);
}

fn ingest_into(table: &str, exists: TableExistsOption) -> FlightDescriptor {
    let command = CommandStatementIngest {
        table: table.to_owned(),
        table_definition_options: Some(TableDefinitionOptions {
            if_not_exist: TableNotExistOption::Fail.into(),
            if_exists: exists.into(),
        }),
        ..CommandStatementIngest::default()
    };
    FlightDescriptor::new_cmd(command.as_any().encode_to_vec())
}
