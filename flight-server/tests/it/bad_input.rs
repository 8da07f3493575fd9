//! Every kind of bad input: the right code, a text that names the column and the rule, nothing kept, the server goes on.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Schema},
};
use arrow_flight::FlightDescriptor;
use tonic::Code;

use crate::harness::{
    START, TestServer, batch_of, event_columns, events, events_with, messages_of, schema_message,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_value_is_refused_and_named() {
    let server = TestServer::start().await;
    let far = START + 3_600_000_000 * 24 * 365 * 100;
    let text = |texts: Vec<Option<&str>>| Arc::new(StringArray::from(texts)) as ArrayRef;
    let real = |value: f64| Arc::new(Float64Array::from(vec![value])) as ArrayRef;
    let time = |micros: i64| {
        Arc::new(TimestampMicrosecondArray::from(vec![micros]).with_timezone("UTC")) as ArrayRef
    };
    let long = "x".repeat(300);
    let cases: Vec<(&'static str, ArrayRef)> = vec![
        ("value", text(vec![Some("warm")])),
        ("device_id", text(vec![None])),
        ("device_id", text(vec![Some("")])),
        ("device_id", text(vec![Some(&long)])),
        ("value", real(f64::NAN)),
        ("value", real(f64::INFINITY)),
        ("longitude", real(8.5)),
        ("timestamp", time(far)),
        ("timestamp", time(-1)),
        ("timestamp", Arc::new(Int64Array::from(vec![START / 1_000]))),
        ("metadata", text(vec![Some("[1, 2]")])),
        ("metadata", text(vec![Some("{")])),
        ("valeu", real(1.0)),
    ];
    for (name, column) in cases {
        let error = server.refused(events_with(name, column)).await;
        assert_eq!(error.code(), Code::InvalidArgument, "{name}: {}", error.message());
        let named =
            error.message().contains(name) || name == "longitude" && error.message().contains("latitude");
        assert!(named, "{name}: {}", error.message());
    }
    server.ingest(vec![events(1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_latitude_of_91_is_refused() {
    let server = TestServer::start().await;
    let mut columns = event_columns(1);
    columns.insert("latitude", Arc::new(Float64Array::from(vec![91.0])));
    columns.insert("longitude", Arc::new(Float64Array::from(vec![8.0])));
    let error = server.refused(batch_of(columns)).await;
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.message().contains("latitude"), "{}", error.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_column_is_named() {
    let server = TestServer::start().await;
    let mut columns = event_columns(1);
    columns.remove("device_id");
    let error = server.refused(batch_of(columns)).await;
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.message().contains("device_id"), "{}", error.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_without_columns_is_refused() {
    let server = TestServer::start().await;
    let (_, error) = server.put(schema_message(&Schema::empty())).await;
    let error = error.unwrap();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.message().contains("no columns"), "{}", error.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_table_is_not_found_and_the_tables_are_named() {
    let server = TestServer::start().await;
    let descriptor = FlightDescriptor::new_path(vec!["event".to_owned()]);
    let (_, error) = server.put_to(descriptor, messages_of(&[events(1)])).await;
    let error = error.unwrap();
    assert_eq!(error.code(), Code::NotFound);
    assert!(error.message().contains("events"), "{}", error.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_the_limit_is_refused() {
    let server = TestServer::start_with(|config| config.max_message_bytes = 1 << 20).await;
    let (acks, error) = server.put(messages_of(&[events(10), events(100_000)])).await;
    assert_eq!(acks.len(), 1);
    let error = error.unwrap();
    assert_eq!(error.code(), Code::InvalidArgument, "{}", error.message());
    assert!(error.message().contains("the limit is 1048576"), "{}", error.message());
    assert_eq!(server.count().await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_sql_is_an_invalid_argument() {
    let server = TestServer::start().await;
    let sum = format!("SELECT {}", vec!["1"; 5_000].join("+"));
    let statements = [
        &sum,
        "SELEC 1",
        "SELECT nope(1)",
        "SELECT nope FROM events",
        "COPY events TO 'x.parquet'",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "INSERT INTO events VALUES (1)",
        "SET datafusion.execution.batch_size = 1",
        "DROP TABLE events",
    ];
    for sql in statements {
        let error = server.query(sql).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{sql}: {}", error.message());
        assert!(!error.message().contains('\n') || sql.starts_with("SELEC"), "{sql}: {}", error.message());
    }
    assert_eq!(server.count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_and_unknown_calls_are_refused_clearly() {
    let server = TestServer::start().await;
    let error = server.sql().await.execute_update("DELETE FROM events".to_owned(), None).await.unwrap_err();
    assert!(error.to_string().contains("DELETE is not allowed"), "{error}");
    assert_eq!(server.sql().await.execute_update("SELECT 1".to_owned(), None).await.unwrap(), 1);
    let (_, error) = server.put_to(FlightDescriptor::new_path(vec![]), messages_of(&[events(1)])).await;
    assert_eq!(error.unwrap().code(), Code::InvalidArgument);
    let mut flight = server.flight().await;
    let error = flight.do_exchange(futures::stream::iter(Vec::new())).await.unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented);
    let action = arrow_flight::Action::new("Dance", "");
    assert_eq!(flight.do_action(action).await.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_announced_schema_has_the_types_of_the_result() {
    let server = TestServer::start().await;
    server.ingest(vec![events(3)]).await;
    let info = server.info("SELECT * FROM events").await.unwrap();
    let result = server.fetch(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    let announced = info.try_decode_schema().unwrap();
    assert_eq!(&announced, result[0].schema().as_ref());
    assert_eq!(announced.field_with_name("device_id").unwrap().data_type(), &DataType::Utf8);
}
