//! Moments as parameters: whatever a literal may say a bound value may, and it finds the same rows, through Flight and HTTP.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, AsArray, RecordBatch, StringArray, TimestampNanosecondArray},
    datatypes::Int64Type,
};
use futures::TryStreamExt;
use serde_json::{Value, json};

use crate::harness::{START, TestServer, events};

/// Nanoseconds after the second of the event that they are compared with: events lie a second apart, and this is the tenth.
const TENTH: i64 = START + 9_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_between_two_microseconds_is_compared_exactly() {
    let server = TestServer::start().await;
    server.ingest(vec![events(20)]).await;
    server.server.engine().flush().await.unwrap();
    server.ingest(vec![events(20)]).await;
    let text = "2024-01-01T00:00:09.0000005Z";
    let nanos: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![TENTH * 1_000 + 500]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec![text]));
    let seconds = format!("{}.0000005", TENTH / 1_000_000);
    for operator in ["<", "<=", ">", ">=", "=", "<>", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"] {
        let sql = |moment: &str| format!("SELECT count(*) FROM events WHERE timestamp {operator} {moment}");
        let literal = counted(&server.query(&sql(&format!("TIMESTAMP '{text}'"))).await.unwrap());
        for bound in [&nanos, &texts] {
            assert_eq!(
                flight(&server, &sql("$1"), bound).await,
                literal,
                "{operator} {:?}",
                bound.data_type()
            );
        }
        assert_eq!(http(&server, &sql("$1"), &json!(text)).await, literal, "{operator} HTTP text");
        let number: Value = serde_json::from_str(&seconds).unwrap();
        assert!(number.is_f64());
        let body = format!(r#"{{"sql": {}, "params": [{seconds}]}}"#, json!(sql("$1")));
        assert_eq!(http_body(&server, body).await, literal, "{operator} HTTP number");
    }
    let between = "SELECT count(*) FROM events WHERE timestamp BETWEEN $1 AND '2024-01-01T00:00:12Z'";
    assert_eq!(flight(&server, between, &nanos).await, 6);
    let member = "SELECT count(*) FROM events WHERE timestamp IN ($1, '2024-01-01T00:00:12Z')";
    assert_eq!(flight(&server, member, &nanos).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_the_same_moment_through_both_doors() {
    let server = TestServer::start().await;
    server.ingest(vec![events(20)]).await;
    let sql = "SELECT count(*) FROM events WHERE timestamp < $1";
    for (text, expected) in [
        ("2024-01-01", 0),
        ("2024-01-02", 20),
        ("2024-01-01 00:00", 0),
        ("2024-01-01 00:01", 20),
        ("2024-01-01T00:00:10", 10),
        ("2024-01-01 01:00:10+01:00", 10),
        ("2024-01-01 00:00:10.000001Z", 11),
        ("9999-12-31", 20),
    ] {
        let bound: ArrayRef = Arc::new(StringArray::from(vec![text]));
        assert_eq!(flight(&server, sql, &bound).await, expected, "{text}");
        assert_eq!(http(&server, sql, &json!(text)).await, expected, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zero_has_no_sign_as_a_parameter() {
    let server = TestServer::start().await;
    server.ingest(vec![events(3)]).await;
    let sql = "SELECT count(*) FROM events WHERE value <= $1";
    let zero: ArrayRef = Arc::new(arrow::array::Float64Array::from(vec![-0.0]));
    assert_eq!(flight(&server, sql, &zero).await, 1);
    let body = format!(r#"{{"sql": {}, "params": [-0.0]}}"#, json!(sql));
    assert_eq!(http_body(&server, body).await, 1);
}

async fn flight(server: &TestServer, sql: &str, value: &ArrayRef) -> i64 {
    let mut client = server.sql().await;
    let mut prepared = client.prepare(sql.to_owned(), None).await.unwrap();
    prepared.set_parameters(RecordBatch::try_from_iter([("1", Arc::clone(value))]).unwrap()).unwrap();
    let info = prepared.execute().await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let batches: Vec<RecordBatch> = client.do_get(ticket).await.unwrap().try_collect().await.unwrap();
    counted(&batches)
}

async fn http(server: &TestServer, sql: &str, value: &Value) -> i64 {
    http_body(server, json!({"sql": sql, "params": [value]}).to_string()).await
}

async fn http_body(server: &TestServer, body: String) -> i64 {
    let (status, answer) = server.post("sql", "application/json", body).await;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(status, 200, "{answer}");
    answer["data"][0].as_object().and_then(|row| row.values().next()?.as_i64()).unwrap()
}

fn counted(batches: &[RecordBatch]) -> i64 {
    batches[0].column(0).as_primitive::<Int64Type>().value(0)
}
