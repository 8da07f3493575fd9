//! `timestamp_unit`: by header, by session and by the body of a request; what is announced has the unit that comes.

use std::io::Cursor;

use arrow::{
    array::{Array, AsArray},
    datatypes::{DataType, Schema, TimeUnit, TimestampNanosecondType},
    ipc::reader::StreamReader,
};
use arrow_flight::{Action, FlightDescriptor, Ticket};
use serde_json::json;
use tonic::{Code, Request};

use crate::harness::{START, TestServer, events};

const SQL: &str = "SELECT timestamp, max(timestamp) OVER () AS newest, make_array(timestamp) AS list FROM events \
                   ORDER BY timestamp";

#[tokio::test(flavor = "multi_thread")]
async fn a_header_asks_for_nanoseconds_and_the_ticket_keeps_them() {
    let server = TestServer::start().await;
    server.ingest(vec![events(3)]).await;
    let mut flight = server.flight().await;
    let info =
        flight.get_flight_info(asking("ns", FlightDescriptor::new_cmd(SQL))).await.unwrap().into_inner();
    let announced = info.clone().try_decode_schema().unwrap();
    let nanos = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    assert_eq!(announced.field(0).data_type(), &nanos);
    assert!(matches!(announced.field(2).data_type(), DataType::List(item) if item.data_type() == &nanos));
    // The call that fetches says nothing: what was announced holds.
    let (sent, batches) = server.stream(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    assert_eq!(sent, announced);
    let times = batches[0].column(0).as_primitive::<TimestampNanosecondType>();
    assert_eq!(times.values(), &[0, 1, 2].map(|row| (START + row * 1_000_000) * 1_000));
    let mut direct = flight.do_get(asking("ns", Ticket::new(SQL))).await.unwrap().into_inner();
    let first = direct.message().await.unwrap().unwrap();
    assert_eq!(Schema::try_from(&first).unwrap(), announced);
    let told = flight.get_schema(asking("ns", FlightDescriptor::new_cmd(SQL))).await.unwrap().into_inner();
    assert_eq!(Schema::try_from(&told).unwrap(), announced);
    let plain = server.info(SQL).await.unwrap().try_decode_schema().unwrap();
    assert_eq!(plain.field(0).data_type(), &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_is_none_and_a_time_that_does_not_fit_are_refused() {
    let server = TestServer::start().await;
    let mut flight = server.flight().await;
    let error = flight.get_flight_info(asking("ms", FlightDescriptor::new_cmd(SQL))).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert_eq!(error.message(), "header timestamp_unit = 'ms': must be us or ns");
    let late = "SELECT TIMESTAMP '2024-01-01' + INTERVAL '1 microsecond' AS a, arrow_cast(300000000000000000, \
                'Timestamp(Microsecond, None)') AS late";
    let mut stream = flight.do_get(asking("ns", Ticket::new(late))).await.unwrap().into_inner();
    let error = loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a time beyond 2262 was sent"),
            Err(status) => break status,
        }
    };
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.message().contains("column 'late' has a time outside the years 1678 to 2261"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_takes_the_header_and_the_member() {
    let server = TestServer::start().await;
    server.ingest(vec![events(3)]).await;
    let unit_of = |bytes: Vec<u8>| {
        let reader = StreamReader::try_new(Cursor::new(bytes), None).unwrap();
        match reader.schema().field(0).data_type() {
            DataType::Timestamp(unit, _) => *unit,
            other => panic!("{other}"),
        }
    };
    let plain = json!({"sql": SQL, "format": "arrow"});
    assert_eq!(unit_of(server.http_sql(&plain).await), TimeUnit::Microsecond);
    let asked = json!({"sql": SQL, "format": "arrow", "timestamp_unit": "ns"});
    assert_eq!(unit_of(server.http_sql(&asked).await), TimeUnit::Nanosecond);
    let by_header = |unit: &'static str| {
        reqwest::Client::new()
            .post(format!("{}/api/v1/sql", server.server.http_url()))
            .header("content-type", "application/json")
            .header("timestamp_unit", unit)
            .body(plain.to_string())
            .send()
    };
    let answer = by_header("ns").await.unwrap().bytes().await.unwrap();
    assert_eq!(unit_of(answer.to_vec()), TimeUnit::Nanosecond);
    let refused = by_header("s").await.unwrap();
    assert_eq!(refused.status().as_u16(), 400);
    let (status, answer) =
        server.post("sql", "application/json", json!({"sql": SQL, "timestamp_unit": 1}).to_string()).await;
    assert_eq!(status, 400);
    assert!(String::from_utf8(answer).unwrap().contains("timestamp_unit = 1: must be us or ns"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_statement_keeps_the_unit_in_which_it_was_announced() {
    let server = TestServer::start().await;
    server.ingest(vec![events(3)]).await;
    let mut sql = server.sql().await;
    sql.set_header("timestamp_unit", "ns");
    let mut prepared = sql.prepare(SQL.to_owned(), None).await.unwrap();
    let announced = prepared.dataset_schema().unwrap().clone();
    assert!(matches!(announced.field(0).data_type(), DataType::Timestamp(TimeUnit::Nanosecond, _)));
    let info = prepared.execute().await.unwrap();
    assert_eq!(info.clone().try_decode_schema().unwrap(), announced);
    let (sent, batches) = server.stream(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    assert_eq!(sent, announced);
    assert_eq!(batches[0].column(0).len(), 3);
    // Unknown actions are refused as before, the header beside them or not.
    let unknown = asking("ns", Action::new("dance", ""));
    assert_eq!(server.flight().await.do_action(unknown).await.unwrap_err().code(), Code::Unimplemented);
}

fn asking<T>(unit: &'static str, message: T) -> Request<T> {
    let mut call = Request::new(message);
    call.metadata_mut().insert("timestamp_unit", unit.parse().unwrap());
    call
}
