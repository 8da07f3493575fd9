//! Connections on which nobody has logged in: closed in time, bounded in number and in bytes, and never in the way of others.

use std::time::Duration;

use arrow_flight::{HandshakeRequest, flight_service_client::FlightServiceClient};
use bytes::Bytes;
use futures::stream;
use hexflight::StrangerLimits;
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tonic::Code;

use crate::harness::TestServer;

/// Bound of every wait: many times what is waited for.
const BOUND: Duration = Duration::from_secs(20);

const SHORT: StrangerLimits =
    StrangerLimits { connections_max: 4, bytes_max: 4 << 10, time_max: Duration::from_millis(300) };

/// What starts an HTTP/2 connection: the preface and empty SETTINGS.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_asks_nothing_is_closed_on_both_ports() {
    let server = TestServer::start_with(|config| config.strangers = SHORT).await;
    let beginnings: [(&str, &[u8]); 5] = [
        (server.server.flight_url().leak(), b""),
        (server.server.flight_url().leak(), b"PRI * HT"),
        (server.server.flight_url().leak(), PREFACE),
        (server.server.http_url().leak(), b""),
        (server.server.http_url().leak(), b"GET /health/live HTTP/1.1\r\nhost: test\r\nx-half: "),
    ];
    for (url, beginning) in beginnings {
        let mut connection = connect(url).await;
        connection.write_all(beginning).await.unwrap();
        assert!(is_closed(&mut connection).await, "{url} {beginning:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_asked_stays() {
    let server = TestServer::start_with(|config| config.strangers = SHORT).await;
    let mut connection = connect(&server.server.http_url()).await;
    for _ in 0..3 {
        connection.write_all(b"GET /health/live HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        drain(&mut connection).await;
        tokio::time::sleep(SHORT.time_max).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn little_is_read_of_a_stranger() {
    let (server, _users) = guarded(StrangerLimits { time_max: Duration::from_secs(5), ..SHORT }).await;
    let mut connection = connect(&server.server.flight_url()).await;
    connection.write_all(PREFACE).await.unwrap();
    // Frames of a type that nobody knows must be ignored, so they could go on for ever.
    let mut frame = vec![0, 0x10, 0, 0xfe, 0, 0, 0, 0, 0];
    frame.resize(9 + 4096, 0);
    let mut sent = 0;
    while timeout(Duration::from_millis(500), connection.write_all(&frame))
        .await
        .is_ok_and(|sent| sent.is_ok())
    {
        sent += frame.len();
        assert!(sent < 64 << 20, "everything is read");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_give_way_to_newer_ones_and_nobody_else_does() {
    let limits = StrangerLimits { time_max: BOUND, ..SHORT };
    let (server, _users) = guarded(limits).await;
    let mut idle = Vec::new();
    for _ in 0..limits.connections_max + 2 {
        idle.push(connect(&server.server.flight_url()).await);
        // Connections are taken in the order in which they come; this one is in when its server's SETTINGS arrive.
        let newest = idle.last_mut().unwrap();
        newest.write_all(PREFACE).await.unwrap();
        newest.read_u8().await.unwrap();
    }
    assert!(is_closed(&mut idle[0]).await);
    assert!(is_closed(&mut idle[1]).await);
    let mut client = FlightServiceClient::new(server.channel().await);
    assert_eq!(client.list_actions(arrow_flight::Empty {}).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_message_is_small() {
    let (server, _users) = guarded(StrangerLimits::default()).await;
    let long = HandshakeRequest { protocol_version: 0, payload: Bytes::from(vec![0; 17 << 10]) };
    let mut client = FlightServiceClient::new(server.channel().await);
    let refused = client.handshake(stream::iter([long])).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_that_goes_on_guessing_is_cut_off() {
    let (server, _users) = guarded(StrangerLimits::default()).await;
    let mut client = FlightServiceClient::new(server.channel().await);
    let mut codes = Vec::new();
    for _ in 0..17 {
        codes.push(client.list_actions(arrow_flight::Empty {}).await.unwrap_err().code());
    }
    assert!(codes[..16].iter().all(|code| *code == Code::Unauthenticated), "{codes:?}");
    assert_ne!(codes[16], Code::Unauthenticated, "{codes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_a_stranger_says_that_the_connection_ends() {
    let (server, _users) = guarded(StrangerLimits::default()).await;
    for path in ["/health/live", "/openapi.json"] {
        let mut connection = connect(&server.server.http_url()).await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(BOUND, connection.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.contains("connection: close"), "{answer}");
    }
}

/// A server that asks who calls, and the file of its users.
async fn guarded(strangers: StrangerLimits) -> (TestServer, NamedTempFile) {
    let users = NamedTempFile::new().unwrap();
    std::fs::write(users.path(), "ada:correct horse\n").unwrap();
    let server = TestServer::start_with(|config| {
        config.auth_file = Some(users.path().to_owned());
        config.strangers = strangers;
    });
    (server.await, users)
}

async fn connect(url: &str) -> TcpStream {
    TcpStream::connect(url.split_once("://").unwrap().1).await.unwrap()
}

/// Whether the other end closes the connection, whatever it says before.
async fn is_closed(connection: &mut TcpStream) -> bool {
    let mut said = Vec::new();
    // A reset is an end as well.
    timeout(BOUND, connection.read_to_end(&mut said)).await.is_ok()
}

/// Reads what is left of an answer.
async fn drain(connection: &mut TcpStream) {
    let mut rest = [0; 4096];
    let _late = timeout(Duration::from_millis(50), connection.read(&mut rest)).await;
}
