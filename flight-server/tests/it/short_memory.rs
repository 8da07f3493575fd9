//! Memory is short: what appends that wait do when their clients leave, when their time is up, and when the server stops.

use std::time::{Duration, Instant};

use arrow_flight::{FlightData, FlightDescriptor, PutResult, flight_service_client::FlightServiceClient};
use futures::{StreamExt, stream};
use hexflight_engine::Reservation;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
};
use tonic::{Code, Streaming, transport::Channel};

use crate::harness::{TestServer, events, messages_of};

/// What a test waits for at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a stop may take, whatever clients do.
const STOP_MAX: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn an_append_over_flight_ends_with_its_client() {
    let server = TestServer::start().await;
    let held = all_events(&server);
    let client = Runtime::new().unwrap();
    let url = server.server.flight_url();
    let putting = client.spawn(async move { put_at(&url).await.message().await });
    until_waiting(&server, 1).await;
    // Its sockets close with it.
    client.shutdown_background();
    until_waiting(&server, 0).await;
    // It ended with its runtime, or with its connection.
    assert!(!matches!(putting.await, Ok(Ok(Some(_)))));
    drop(held);
    assert_eq!(server.count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_over_http_ends_with_its_client() {
    let server = TestServer::start().await;
    let held = all_events(&server);
    let connection = post(&server, "/api/v1/events", EVENT, 0).await;
    until_waiting(&server, 1).await;
    drop(connection);
    until_waiting(&server, 0).await;
    drop(held);
    assert_eq!(server.count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_append_is_taken_once_there_is_memory() {
    let server = TestServer::start().await;
    let held = all_events(&server);
    let mut answers = waiting_put(&server).await;
    until_waiting(&server, 1).await;
    drop(held);
    assert!(answers.message().await.unwrap().is_some());
    assert_eq!(server.count().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_waited_too_long_is_told_the_rule_and_when_to_come_back() {
    let server = TestServer::start().await;
    let _held = all_events(&server);
    let started = Instant::now();
    let mut answers = waiting_put(&server).await;
    let refused = answers.message().await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(11), "{:?}", started.elapsed());
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.message().contains("events on their way to files (5/10 of memory_limit)"), "{refused}");
    assert_eq!(refused.metadata().get("grpc-retry-pushback-ms").unwrap(), "1000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_refuses_appends_that_wait_at_once() {
    let server = TestServer::start().await;
    let _held = all_events(&server);
    let mut answers = waiting_put(&server).await;
    let mut http = post(&server, "/api/v1/events", EVENT, 0).await;
    until_waiting(&server, 2).await;
    let stopping = tokio::spawn(server.server.shutdown());
    assert_eq!(answers.message().await.unwrap_err().code(), Code::Unavailable);
    drop(answers);
    let mut answer = [0; 12];
    http.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 503");
    tokio::time::timeout(PATIENCE, stopping).await.unwrap().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_cuts_clients_that_do_not_read_or_send() {
    let server = TestServer::start().await;
    server.ingest(vec![events(200_000)]).await;
    let unread = unread(&server, "SELECT a.* FROM events a, events b LIMIT 100000000").await;
    let stalled = [
        post(&server, "/api/v1/sql", r#"{"sql": "SELECT a.* FROM events a, events b LIMIT 100000000"}"#, 0)
            .await,
        post(&server, "/api/v1/events", "[", 1_000).await,
        post(&server, "/api/v1/import", "PAR1", 1_000).await,
    ];
    let started = Instant::now();
    server.server.shutdown().await.unwrap();
    assert!(started.elapsed() < STOP_MAX, "{:?}", started.elapsed());
    drop((unread, stalled));
}

const EVENT: &str = r#"{"timestamp": 1748779200, "device_id": "d", "type": "t", "value": 1}"#;

/// All memory that events may take.
fn all_events(server: &TestServer) -> Reservation {
    let budget = server.server.engine().budget();
    budget.try_events(budget.events_max()).unwrap()
}

/// A put of one batch whose stream stays open.
async fn waiting_put(server: &TestServer) -> Streaming<PutResult> {
    put_at(&server.server.flight_url()).await
}

async fn put_at(url: &str) -> Streaming<PutResult> {
    let mut messages = messages_of(&[events(3)]);
    messages[0].flight_descriptor = Some(FlightDescriptor::new_path(vec!["events".to_owned()]));
    let messages = stream::iter(messages).chain(stream::pending());
    let channel = Channel::from_shared(url.replace("grpc://", "http://")).unwrap().connect().await.unwrap();
    FlightServiceClient::new(channel).do_put(messages).await.unwrap().into_inner()
}

/// A result of which only the first message is read.
async fn unread(server: &TestServer, sql: &str) -> Streaming<FlightData> {
    let info = server.info(sql).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let mut messages = server.flight().await.do_get(ticket).await.unwrap().into_inner();
    messages.message().await.unwrap().unwrap();
    messages
}

/// Sends a request of which `more` bytes never come.
async fn post(server: &TestServer, path: &str, body: &str, more: usize) -> TcpStream {
    let mut connection = TcpStream::connect(server.server.http_url().replace("http://", "")).await.unwrap();
    let media_type = if path.ends_with("import") { "application/octet-stream" } else { "application/json" };
    let length = body.len() + more;
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(body.as_bytes()).await.unwrap();
    connection
}

async fn until_waiting(server: &TestServer, count: usize) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while server.server.engine().budget().waiting() != count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    waited.await.unwrap();
}
