//! Runs a statement and sends its result while it comes. A task of its own drives the query and writes the format, so that the time
//! limit holds also while the client does not read; the answer takes its chunks from a bounded channel.
//!
//! ```text
//!  task: queries ─▶ batch ─▶ pieces of 2 MiB ─▶ encode (blocking thread) ─▶ chunks ─▶ channel of 2 ─▶ body
//! ```
//!
//! The status is decided by the first chunk: what fails before is a problem. What fails later breaks the connection off, so that no
//! reader takes a part for the whole. A client that leaves drops the body, and with it the task and the query.

use std::{io, sync::Arc};

use arrow::{array::RecordBatch, error::ArrowError};
use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::{
    columns::ResultColumns,
    encode::{ResultEncoder, encoder, is_text},
    format::ResultFormat,
    params,
    request::SqlRequest,
};
use crate::{
    http::Api,
    queries::{Asked, row_bytes, split_for_messages, union_column},
    status::{Problem, query_problem},
};
use hexflight_engine::tasks;

/// Header with the id by which the query can be ended.
const QUERY_ID: HeaderName = HeaderName::from_static("x-query-id");

/// A chunk is sent when it has as much; a smaller result is one chunk, and what goes wrong with it is a problem. **Units**: bytes.
const CHUNK_BYTES_MIN: usize = 64 << 10;

/// A row that is written as text: each of its letters can become six (`\u0001`), in a buffer that grows by doubling. **Units**: bytes.
const TEXT_ROW_BYTES_MAX: usize = 16 << 20;

/// Chunks that wait for the client.
const CHUNKS_MAX: usize = 2;

/// A part of the body.
#[derive(Debug)]
struct Chunk {
    bytes: Vec<u8>,
    /// A body that ends without it is broken.
    last: bool,
    query_id: u64,
}

type Chunks = mpsc::Receiver<Result<Chunk, Problem>>;

/// Runs a statement and answers with its result.
///
/// **Cancellation**: dropping the future or the response's body stops the query.
pub(super) async fn answer(
    api: Arc<Api>,
    request: SqlRequest,
    format: ResultFormat,
) -> Result<Response, Problem> {
    let (sender, mut chunks) = mpsc::channel(CHUNKS_MAX);
    let run = Run { api, request, format, sender, begun: false, query_id: 0 };
    let task = AbortOnDropHandle::new(tasks::spawn(run.drive().in_current_span()));
    let first = chunks.recv().await.ok_or_else(broken)??;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(format.content_type())),
        (QUERY_ID, HeaderValue::from(first.query_id)),
    ];
    if first.last {
        return Ok((headers, first.bytes).into_response());
    }
    Ok((headers, Body::from_stream(body(first, chunks, task))).into_response())
}

/// The chunks as a body that ends with an error unless the last one came.
fn body(
    first: Chunk,
    chunks: Chunks,
    task: AbortOnDropHandle<()>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let rest = stream::unfold(Some((chunks, task)), |state| async move {
        let (mut chunks, task) = state?;
        match chunks.recv().await {
            Some(Ok(chunk)) if chunk.last => Some((Ok(Bytes::from(chunk.bytes)), None)),
            Some(Ok(chunk)) => Some((Ok(Bytes::from(chunk.bytes)), Some((chunks, task)))),
            Some(Err(problem)) => Some((Err(io::Error::other(problem.detail().to_owned())), None)),
            None => Some((Err(io::Error::other("the query ended without its last rows")), None)),
        }
    });
    stream::iter([Ok(Bytes::from(first.bytes))]).chain(rest)
}

/// A statement on its way.
struct Run {
    api: Arc<Api>,
    request: SqlRequest,
    format: ResultFormat,
    sender: mpsc::Sender<Result<Chunk, Problem>>,
    /// Whether a chunk was sent: from then on an error can only be told by breaking off.
    begun: bool,
    /// By which it can be ended, once it runs.
    query_id: u64,
}

impl Run {
    async fn drive(mut self) {
        let asked = self.api.begin(self.request.limit());
        let ended = tokio::select! {
            biased;
            stopped = asked.stopped() => Err(query_problem(&stopped)),
            ended = self.run(&asked) => ended,
        };
        drop(asked);
        if let Err(problem) = ended {
            if self.begun && !self.sender.is_closed() {
                tracing::warn!(code = problem.code(), detail = problem.detail(), "HTTP answer broken off");
            }
            let _nobody_listens = self.sender.send(Err(problem)).await;
        }
    }

    async fn run(&mut self, asked: &Asked) -> Result<(), Problem> {
        let engine = self.api.queries.engine();
        let params = params::bound(engine, &self.request.sql, &self.request.params).await?;
        let started = asked.run(&self.request.sql, params).await;
        let mut batches = started.map_err(|error| query_problem(&error))?;
        self.query_id = batches.query_id();
        if let Some(name) = union_column(&batches.schema()) {
            return Err(several_types(name));
        }
        let unit = self.request.timestamp_unit.unwrap_or_default();
        let columns = ResultColumns::of(&batches.schema(), is_text(self.format), unit);
        let mut encoder = encoder(self.format, &columns).map_err(|error| self.unwritable(&error))?;
        let mut rows_left = self.request.max_rows.unwrap_or(u64::MAX);
        let mut truncated = false;
        let mut chunk = Vec::new();
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|error| query_problem(&error))?;
            let taken = usize::try_from(rows_left).unwrap_or(usize::MAX).min(batch.num_rows());
            truncated = taken < batch.num_rows();
            rows_left -= taken as u64;
            for piece in split_for_messages(batch.slice(0, taken)) {
                if is_text(self.format) && piece.num_rows() == 1 {
                    check_row(row_bytes(&piece))?;
                }
                encoder = self.encode(encoder, &columns, piece, &mut chunk).await?;
                if chunk.len() >= CHUNK_BYTES_MIN {
                    self.send(std::mem::take(&mut chunk), false).await?;
                }
            }
            asked.rows_sent(taken);
            if truncated {
                break;
            }
        }
        chunk.extend(encoder.finish(truncated).map_err(|error| self.unwritable(&error))?);
        self.send(chunk, true).await
    }

    /// Writes a piece on a thread that may be busy, and hands the encoder back.
    async fn encode(
        &self,
        mut encoder: Box<dyn ResultEncoder>,
        columns: &ResultColumns,
        piece: RecordBatch,
        chunk: &mut Vec<u8>,
    ) -> Result<Box<dyn ResultEncoder>, Problem> {
        let columns = columns.clone();
        let work = tasks::spawn_blocking(move || {
            let bytes = columns.convert(&piece).and_then(|piece| encoder.write(&piece))?;
            Ok((encoder, bytes))
        });
        let written: Result<_, ArrowError> = work.await.map_err(|_| broken())?;
        let (encoder, bytes) = written.map_err(|error| self.unwritable(&error))?;
        if chunk.is_empty() {
            *chunk = bytes
        } else {
            chunk.extend(bytes)
        }
        Ok(encoder)
    }

    async fn send(&mut self, bytes: Vec<u8>, last: bool) -> Result<(), Problem> {
        let chunk = Chunk { bytes, last, query_id: self.query_id };
        self.begun = true;
        self.sender.send(Ok(chunk)).await.map_err(|_| left())
    }

    fn unwritable(&self, error: &ArrowError) -> Problem {
        let detail = format!("the result cannot be written as {}: {error}", self.format.name());
        Problem::new(StatusCode::BAD_REQUEST, "unsupported_format", detail)
            .with_hint("cast the column to a plain type, or ask for another format")
    }
}

fn check_row(bytes: usize) -> Result<(), Problem> {
    if bytes <= TEXT_ROW_BYTES_MAX {
        return Ok(());
    }
    let detail =
        format!("a row of {bytes} bytes; a row that is written as text has at most {TEXT_ROW_BYTES_MAX}");
    Err(Problem::new(StatusCode::BAD_REQUEST, "row_too_large", detail)
        .with_hint("ask for format=arrow or parquet, over Flight, or for a part of the value"))
}

/// The problem of a column that holds a union, which JSON values are until they are planned as text.
fn several_types(name: &str) -> Problem {
    let detail = format!("column '{name}' has values of several types, which results do not have");
    Problem::new(StatusCode::BAD_REQUEST, "unsupported_format", detail)
        .with_hint("cast the column, for example to VARCHAR")
}

fn left() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "cancelled", "the client left before the end of the result")
}

fn broken() -> Problem {
    let detail = "writing the result ran into a bug; the log has more";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
}
