//! Messages that lie: each is refused, none takes the server down.

use arrow::ipc::{
    CompressionType,
    writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions},
};
use arrow_flight::FlightData;
use bytes::{Bytes, BytesMut};
use tonic::Code;

use crate::harness::{TestServer, events, messages_of};

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_refused() {
    let server = TestServer::start().await;
    for header in [&b"not a flatbuffer at all"[..], &[0; 64], &[0xff; 64]] {
        let message = FlightData { data_header: Bytes::copy_from_slice(header), ..FlightData::default() };
        let (_, error) = server.put(vec![message]).await;
        assert_eq!(error.unwrap().code(), Code::InvalidArgument);
    }
    assert_eq!(server.count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_shorter_than_declared_is_refused() {
    let server = TestServer::start().await;
    let mut messages = messages_of(&[events(100)]);
    let body = messages[1].data_body.clone();
    for length in [0, 1, 63, body.len() / 2, body.len() - 64] {
        messages[1].data_body = body.slice(..length);
        let (_, error) = server.put(messages.clone()).await;
        let error = error.expect("a cut body was taken");
        assert_eq!(error.code(), Code::InvalidArgument, "{}", error.message());
    }
    assert_eq!(server.count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_change_of_one_byte_of_a_header_hurts() {
    let server = TestServer::start().await;
    let messages = messages_of(&[events(10)]);
    for message in 0..2 {
        let header = messages[message].data_header.clone();
        for at in 0..header.len() {
            let mut mutated = messages.clone();
            let mut bytes = BytesMut::from(header.as_ref());
            bytes[at] ^= 0xff;
            mutated[message].data_header = bytes.freeze();
            let (_, error) = server.put(mutated).await;
            let code = error.map(|error| error.code());
            assert!(
                matches!(code, None | Some(Code::InvalidArgument)),
                "message {message}, byte {at}: {code:?}"
            );
        }
    }
    server.ingest(vec![events(1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_batches_are_read_and_bombs_refused() {
    let server = TestServer::start().await;
    for codec in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        let messages = compressed(codec);
        let (acks, error) = server.put(messages.clone()).await;
        assert!(error.is_none() && acks.len() == 1, "{codec:?}: {error:?}");
        for declared in [1_i64 << 40, i64::MAX, i64::MIN, -2, 1] {
            let mut bomb = messages.clone();
            bomb[1].data_body = redeclared(&bomb[1].data_body, declared);
            let (_, error) = server.put(bomb).await;
            let error = error.expect("a lying length was taken");
            assert_eq!(error.code(), Code::InvalidArgument, "{codec:?} {declared}: {}", error.message());
        }
    }
    assert_eq!(server.count().await, 20_000);
}

/// A schema and one batch of 10,000 events, compressed.
fn compressed(codec: CompressionType) -> Vec<FlightData> {
    let batch = events(10_000);
    let options = IpcWriteOptions::default().try_with_compression(Some(codec)).unwrap();
    let mut tracker = DictionaryTracker::new(false);
    let (_, encoded) = IpcDataGenerator::default()
        .encode(&batch, &mut tracker, &options, &mut IpcWriteContext::default())
        .unwrap();
    let mut messages = messages_of(&[batch]);
    messages[1] = encoded.into();
    messages
}

/// Rewrites the declared length of the first compressed buffer: the first 8 bytes that are a plausible length.
fn redeclared(body: &Bytes, declared: i64) -> Bytes {
    let mut bytes = BytesMut::from(body.as_ref());
    let at = (0..bytes.len() - 8)
        .step_by(8)
        .find(|at| {
            let length = i64::from_le_bytes(bytes[*at..*at + 8].try_into().unwrap());
            (1_000..1_000_000).contains(&length)
        })
        .unwrap();
    bytes[at..at + 8].copy_from_slice(&declared.to_le_bytes());
    bytes.freeze()
}
