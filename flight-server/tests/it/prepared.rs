//! Prepared statements with both forms of parameters.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, AsArray, Float64Array, RecordBatch, StringArray},
    datatypes::Int64Type,
};
use arrow_flight::sql::client::{FlightSqlServiceClient, PreparedStatement};
use futures::TryStreamExt;
use tonic::transport::Channel;

use crate::harness::{TestServer, events};

#[tokio::test(flavor = "multi_thread")]
async fn both_forms_of_parameters_are_bound() {
    let server = TestServer::start().await;
    server.ingest(vec![events(100)]).await;
    let mut sql = server.sql().await;
    for statement in [
        "SELECT count(*) FROM events WHERE type = ? AND value < ?",
        "SELECT count(*) FROM events WHERE type = $1 AND value < $2",
    ] {
        let mut prepared = sql.prepare(statement.to_owned(), None).await.unwrap();
        assert_eq!(prepared.parameter_schema().unwrap().fields().len(), 2);
        assert_eq!(prepared.dataset_schema().unwrap().fields().len(), 1);
        prepared.set_parameters(parameters(&["temperature"], &[10.0])).unwrap();
        assert_eq!(counts(&mut sql, &mut prepared).await, [5], "{statement}");
        prepared.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_rows_of_parameters_run_the_statement_for_each() {
    let server = TestServer::start().await;
    server.ingest(vec![events(100)]).await;
    let mut sql = server.sql().await;
    let statement = "SELECT count(*) FROM events WHERE type = ? AND value < ?";
    let mut prepared = sql.prepare(statement.to_owned(), None).await.unwrap();
    prepared.set_parameters(parameters(&["temperature", "humidity"], &[10.0, 4.0])).unwrap();
    assert_eq!(counts(&mut sql, &mut prepared).await, [5, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_without_parameters_can_be_prepared() {
    let server = TestServer::start().await;
    let mut sql = server.sql().await;
    let mut prepared = sql.prepare("SELECT count(*) FROM events".to_owned(), None).await.unwrap();
    assert_eq!(counts(&mut sql, &mut prepared).await, [0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_parameters_are_refused() {
    let server = TestServer::start().await;
    let mut sql = server.sql().await;
    let mut prepared = sql.prepare("SELECT $1 + 1".to_owned(), None).await.unwrap();
    let error = prepared.execute().await.unwrap_err().to_string();
    assert!(error.contains("1 parameters and none are bound"), "{error}");
}

fn parameters(types: &[&str], values: &[f64]) -> RecordBatch {
    let types: ArrayRef = Arc::new(StringArray::from(types.to_vec()));
    let values: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
    RecordBatch::try_from_iter([("1", types), ("2", values)]).unwrap()
}

async fn counts(
    sql: &mut FlightSqlServiceClient<Channel>,
    prepared: &mut PreparedStatement<Channel>,
) -> Vec<i64> {
    let info = prepared.execute().await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let batches: Vec<RecordBatch> = sql.do_get(ticket).await.unwrap().try_collect().await.unwrap();
    batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
}
