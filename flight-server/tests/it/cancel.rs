//! Queries that are stopped: by their id, by a client that leaves, by their time limit.

use std::time::Duration;

use arrow_flight::{Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo};
use prost::Message;
use tonic::Code;

use crate::harness::{TestServer, drained, events};

/// Runs for minutes, and yields its first rows at once.
const ENDLESS: &str =
    "SELECT a.value FROM events a, events b, events c, events d WHERE a.value + b.value + c.value >= 0";

#[tokio::test(flavor = "multi_thread")]
async fn a_running_query_can_be_cancelled_by_its_info() {
    let server = TestServer::start().await;
    server.ingest(vec![events(1_000)]).await;
    let info = server.info(ENDLESS).await.unwrap();
    assert_eq!(cancel(&server, &info).await, CancelStatus::NotCancellable);
    let mut running =
        server.flight().await.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap().into_inner();
    running.message().await.unwrap().unwrap();
    assert_eq!(cancel(&server, &info).await, CancelStatus::Cancelled);
    let error = loop {
        match running.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a cancelled query ended as if it were complete"),
            Err(status) => break status,
        }
    };
    assert_eq!(error.code(), Code::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_stops_its_query() {
    let server = TestServer::start().await;
    server.ingest(vec![events(1_000)]).await;
    let info = server.info(ENDLESS).await.unwrap();
    let mut running =
        server.flight().await.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap().into_inner();
    running.message().await.unwrap().unwrap();
    drop(running);
    // Its entry goes when its stream is dropped: from then on there is nothing to cancel.
    let gone = async {
        while cancel(&server, &info).await != CancelStatus::NotCancellable {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_over_its_time_limit_fails() {
    let server =
        TestServer::start_with(|config| config.query_timeout = Some(Duration::from_millis(100))).await;
    server.ingest(vec![events(1_000)]).await;
    let error = server.query(&format!("SELECT count(*) FROM ({ENDLESS})")).await.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded, "{}", error.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_does_not_wait_for_a_query_without_end() {
    let server = TestServer::start().await;
    server.ingest(vec![events(1_000)]).await;
    let info = server.info(ENDLESS).await.unwrap();
    let running =
        server.flight().await.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap().into_inner();
    let reader = tokio::spawn(drained(running));
    tokio::time::timeout(Duration::from_secs(40), server.server.shutdown()).await.unwrap().unwrap();
    reader.await.unwrap();
}

async fn cancel(server: &TestServer, info: &FlightInfo) -> CancelStatus {
    let request = CancelFlightInfoRequest { info: Some(info.clone()) };
    let action = Action::new("CancelFlightInfo", request.encode_to_vec());
    let mut answers = server.flight().await.do_action(action).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    CancelFlightInfoResult::decode(answer.body).unwrap().status()
}
