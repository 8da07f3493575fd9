//! What a stream announces is what it sends: by GetFlightInfo, GetSchema and a prepared statement.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::Schema,
};
use arrow_flight::{FlightDescriptor, Ticket};

use crate::harness::{TestServer, events, events_with};

/// Statements of which the planner says one thing about nulls, lists or structs before it optimises, and another after.
const STATEMENTS: [&str; 16] = [
    "SELECT * FROM events",
    "SELECT 1 AS one, 'x' AS text, NULL AS nothing",
    "SELECT count(*), count(value), sum(value), now() FROM events",
    "SELECT DISTINCT ON (device_id) device_id, value FROM events ORDER BY device_id, timestamp DESC",
    "SELECT coalesce(latitude, 0) AS a, coalesce(latitude, 1) AS b FROM events",
    "SELECT latitude IS NOT NULL AS a, CASE WHEN latitude IS NOT NULL THEN 1 ELSE 0 END AS b FROM events",
    "SELECT coalesce(metadata->>'a', 'x') AS a, coalesce(metadata->>'a', 'y') AS b FROM events",
    "SELECT device_id, array_agg(value ORDER BY timestamp) AS all_values FROM events GROUP BY device_id",
    "SELECT named_struct('a', value, 'b', device_id) AS pair FROM events LIMIT 2",
    "SELECT make_array(value, 1) AS list, map(['a'], [value]) AS map FROM events LIMIT 2",
    "SELECT arrow_cast(make_array(value), 'LargeList(Float64)') AS list FROM events LIMIT 2",
    "SELECT arrow_cast(type, 'Dictionary(Int32, Utf8)') AS type FROM events LIMIT 2",
    "SELECT a.value, b.device_id FROM events a LEFT JOIN events b ON a.value = b.value + 1000",
    "SELECT value FROM events WHERE value > 1 UNION ALL SELECT NULL",
    "SELECT device_id, lag(value) OVER (PARTITION BY device_id ORDER BY timestamp) AS before FROM events",
    "EXPLAIN SELECT value FROM events",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_brings_what_it_announces() {
    let server = TestServer::start().await;
    let metadata: ArrayRef = Arc::new(StringArray::from(vec![Some(r#"{"a":"1"}"#), None, None]));
    server.ingest(vec![events(20)]).await;
    server.ingest(vec![events_with("metadata", metadata)]).await;
    let (mut sql, mut flight) = (server.sql().await, server.flight().await);
    for statement in STATEMENTS {
        let info = server.info(statement).await.unwrap();
        let announced = info.clone().try_decode_schema().unwrap();
        assert!(announced.fields().iter().all(|field| field.is_nullable()), "{statement}");
        let (sent, batches) = server.stream(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
        assert_eq!(sent, announced, "{statement}");
        assert!(batches.iter().all(|batch| batch.schema_ref().as_ref() == &sent), "{statement}");
        assert!(rows(&batches) > 0, "{statement}");
        let (direct, _) = server.stream(Ticket::new(statement)).await.unwrap();
        assert_eq!(direct, announced, "{statement}");
        let told = flight.get_schema(FlightDescriptor::new_cmd(statement)).await.unwrap().into_inner();
        assert_eq!(Schema::try_from(&told).unwrap(), announced, "{statement}");
        let prepared = sql.prepare(statement.to_owned(), None).await.unwrap();
        assert_eq!(prepared.dataset_schema().unwrap(), &announced, "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_parameters_may_be_null_in_turn() {
    let server = TestServer::start().await;
    let mut sql = server.sql().await;
    let mut prepared =
        sql.prepare("SELECT coalesce($1, 'none') AS a, $1 AS b".to_owned(), None).await.unwrap();
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None]));
    prepared.set_parameters(RecordBatch::try_from_iter([("1", texts)]).unwrap()).unwrap();
    let info = prepared.execute().await.unwrap();
    let (_, batches) = server.stream(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    assert_eq!(rows(&batches), 2);
}

fn rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}
