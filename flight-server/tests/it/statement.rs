//! Statements over Flight SQL and plain Flight.

use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::{Float64Type, Int64Type};
use arrow_flight::{FlightDescriptor, Ticket};
use futures::TryStreamExt;

use crate::harness::{TestServer, events};

#[tokio::test(flavor = "multi_thread")]
async fn a_flight_sql_client_reads_what_was_put() {
    let server = TestServer::start().await;
    server.ingest(vec![events(1_000)]).await;
    let mut sql = server.sql().await;
    let statement = "SELECT type, count(*), sum(value) FROM events GROUP BY type ORDER BY type";
    let info = sql.execute(statement.to_owned(), None).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let batches: Vec<_> = sql.do_get(ticket).await.unwrap().try_collect().await.unwrap();
    assert_eq!(batches[0].column(0).as_string::<i32>().value(0), "humidity");
    assert_eq!(batches[0].column(1).as_primitive::<Int64Type>().values(), &[500, 500]);
    assert_eq!(batches[0].column(2).as_primitive::<Float64Type>().value(1), 249_500.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_text_works_as_a_descriptor_and_as_a_ticket() {
    let server = TestServer::start().await;
    let by_info = server.query("SELECT 1 AS one").await.unwrap();
    let by_ticket = server.fetch(Ticket::new("SELECT 1 AS one")).await.unwrap();
    assert_eq!(by_info, by_ticket);
    assert_eq!(by_info[0].column(0).to_data(), Int64Array::from(vec![1]).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_can_be_read_by_its_path() {
    let server = TestServer::start().await;
    server.ingest(vec![events(7)]).await;
    let mut flight = server.flight().await;
    let path = FlightDescriptor::new_path(vec!["events".to_owned()]);
    let info = flight.get_flight_info(path.clone()).await.unwrap().into_inner();
    let rows = server.fetch(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    assert_eq!(rows.iter().map(|batch| batch.num_rows()).sum::<usize>(), 7);
    let listed: Vec<_> = flight
        .list_flights(arrow_flight::Criteria::default())
        .await
        .unwrap()
        .into_inner()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(listed[0].flight_descriptor, Some(path.clone()));
    let schema = flight.get_schema(path).await.unwrap().into_inner();
    assert!(!schema.schema.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_result_still_has_its_schema() {
    let server = TestServer::start().await;
    let info = server.info("SELECT device_id, value FROM events").await.unwrap();
    let mut flight = server.flight().await;
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let first = flight.do_get(ticket).await.unwrap().into_inner().message().await.unwrap().unwrap();
    let schema = arrow::datatypes::Schema::try_from(&first).unwrap();
    assert_eq!(schema, info.try_decode_schema().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_is_larger_than_a_client_takes_by_default() {
    let server = TestServer::start().await;
    server.ingest(vec![events(50_000), events(50_000), events(50_000)]).await;
    let info = server.info("SELECT * FROM events").await.unwrap();
    let mut flight = server.flight().await;
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let messages: Vec<_> = flight.do_get(ticket).await.unwrap().into_inner().try_collect().await.unwrap();
    assert!(messages.iter().all(|message| message.data_body.len() < 4 << 20));
    assert!(messages.len() > 2);
}
