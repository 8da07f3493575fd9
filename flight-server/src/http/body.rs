//! Reads the body of a request up to a limit. A body that is too long is read to its end, within bounds, so that its sender gets
//! to see the answer instead of a reset connection.

use std::time::Duration;

use axum::{
    body::{Body, BodyDataStream},
    http::StatusCode,
};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use super::Problem;

/// How long a body may take to arrive.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// What is read, and dropped, of a body that is too long. **Units**: bytes.
const DRAIN_BYTES_MAX: usize = 64 << 20;

/// The whole body, if it has at most `bytes_max` bytes.
pub(super) async fn read(body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    let mut parts = body.into_data_stream();
    let reading = tokio::time::timeout(READ_TIMEOUT, read_parts(&mut parts, bytes_max)).await;
    reading.unwrap_or_else(|_| {
        let detail = format!("the body did not arrive within {READ_TIMEOUT:?}");
        Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail))
    })
}

async fn read_parts(parts: &mut BodyDataStream, bytes_max: usize) -> Result<Bytes, Problem> {
    let mut read = BytesMut::new();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", format!("reading the body: {error}"))
        })?;
        if read.len() + part.len() > bytes_max {
            let mut drained = read.len() + part.len();
            while let (true, Some(Ok(part))) = (drained < DRAIN_BYTES_MAX, parts.next().await) {
                drained += part.len();
            }
            return Err(too_large(bytes_max));
        }
        read.extend_from_slice(&part);
    }
    Ok(read.freeze())
}

fn too_large(bytes_max: usize) -> Problem {
    let detail = format!("the body is longer than the limit of {bytes_max} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail).with("limit_bytes", bytes_max)
}
