//! Start, health, shutdown, restart.

use std::net::TcpListener;

use hexflight::{ServeError, Server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{TestServer, config_in, events};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let server = TestServer::start().await;
    server.ingest(vec![events(10), events(20)]).await;
    let server = server.restarted().await;
    assert_eq!(server.count().await, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_answer() {
    let server = TestServer::start().await;
    server.ingest(vec![events(10)]).await;
    assert!(get(&server, "/health/live").await.starts_with("HTTP/1.1 200"));
    assert!(get(&server, "/health/ready").await.starts_with("HTTP/1.1 200"));
    let metrics = get(&server, "/metrics").await;
    assert!(metrics.contains("hexflight_ingest_rows_total"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_a_clear_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    config.flight_bind = taken.local_addr().unwrap();
    let error = Server::start(config).await.unwrap_err();
    assert!(matches!(error, ServeError::PortTaken { what: "Flight", .. }), "{error}");
    let mut config = config_in(&folder);
    config.http_bind = taken.local_addr().unwrap();
    let error = Server::start(config).await.unwrap_err();
    assert!(matches!(error, ServeError::PortTaken { what: "HTTP", .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_folder_is_refused() {
    let server = TestServer::start().await;
    let error = Server::start(config_in(&server.folder)).await.unwrap_err().to_string();
    assert!(error.contains("another hexflight process"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "not a folder").unwrap();
    let mut config = config_in(&folder);
    config.data_dir = file.join("data");
    let error = Server::start(config).await.unwrap_err().to_string();
    assert!(error.contains("file") && !error.contains('\n'), "{error}");
}

async fn get(server: &TestServer, path: &str) -> String {
    let address = server.server.http_url().replace("http://", "");
    let mut connection = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer
}
