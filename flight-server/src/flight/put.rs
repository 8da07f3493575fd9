//! `DoPut` into a table: messages → batches → engine, acks in order as batches become durable. Reading goes on while earlier
//! batches are on their way to the WAL.
//!
//! ```text
//!  messages ─▶ BatchSource::next ─▶ at most 64 pending ─▶ acknowledge ─▶ at most 65,536 waiting ─▶ client
//! ```
//! The first bad batch ends the stream; the acks of the batches before it are sent first. A batch without rows is no bad batch: it
//! is checked by its columns and acknowledged in its turn, and nothing is written for it.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow_flight::{FlightData, PutResult};
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use hexflight_engine::{
    Ack, Engine, OnBadRow, PendingAck, TableName,
    time::{self, Instant},
};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming};

use super::{
    FlightContext,
    ipc::{BatchDecoder, Decoded},
};
use crate::{arrival::Waits, status::engine_status, telemetry};

/// Batches of one stream on their way to the WAL: enough to fill several group commits.
pub(super) const PENDING_MAX: usize = 64;

/// Acks that wait for a client that does not read them. Most clients first write everything and read at the end; a bound this
/// far away (about 16 MiB) lets them, and still is one.
const ACKS_WAITING_MAX: usize = 1 << 16;

/// Answers one `DoPut` stream into `table`. `first` is the message that carried the descriptor.
pub(super) fn put(
    context: &Arc<FlightContext>,
    table: TableName,
    first: FlightData,
    messages: Streaming<FlightData>,
    waits: Waits,
) -> BoxStream<'static, Result<PutResult, Status>> {
    let source = BatchSource::new(context, table, first, messages, waits);
    let (pending_sender, pending) = mpsc::channel(PENDING_MAX);
    let (acks_sender, acks) = mpsc::channel(ACKS_WAITING_MAX);
    context.puts.spawn(async move {
        let reading = read_batches(source, pending_sender, acks_sender.clone());
        tokio::join!(reading, acknowledge(pending, acks_sender));
    });
    ReceiverStream::new(acks).boxed()
}

/// Reads to the end of the stream, or to the first error, or until nobody wants acks any more: a batch that waits for memory then gives up
/// its place.
async fn read_batches(
    mut source: BatchSource,
    pending: mpsc::Sender<Result<PendingBatch, Status>>,
    acks: mpsc::Sender<Result<PutResult, Status>>,
) {
    loop {
        let next = tokio::select! {
            biased;
            () = pending.closed() => return,
            () = acks.closed() => return,
            next = source.next() => next,
        };
        match next {
            Ok(Some(batch)) => {
                if pending.send(Ok(batch)).await.is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(status) => {
                // Without a receiver the client is gone, and with it everybody who could read the error.
                let _gone = pending.send(Err(status)).await;
                return;
            }
        }
    }
}

/// Waits for each batch in turn. A client that left early still gets its batches stored: they were taken.
async fn acknowledge(
    mut pending: mpsc::Receiver<Result<PendingBatch, Status>>,
    acks: mpsc::Sender<Result<PutResult, Status>>,
) {
    while let Some(batch) = pending.recv().await {
        let answer = match batch {
            Ok(batch) => batch.answer().await,
            Err(status) => Err(status),
        };
        let failed = answer.as_ref().err().inspect(|status| telemetry::request_failed(status)).is_some();
        if acks.send(answer).await.is_err() || failed {
            return;
        }
    }
}

/// app_metadata of one acknowledged batch. Stream and sequence are null when nothing had to be written.
#[derive(Serialize)]
struct AckMetadata<'a> {
    table: &'a str,
    rows: usize,
    stream: Option<String>,
    sequence: Option<u64>,
}

fn put_result(table: &TableName, ack: Option<&Ack>) -> PutResult {
    let metadata = AckMetadata {
        table: table.as_str(),
        rows: ack.map_or(0, |ack| ack.rows),
        stream: ack.map(|ack| ack.stream.to_string()),
        sequence: ack.map(|ack| ack.sequence.0),
    };
    // Text and numbers always have a JSON form.
    PutResult { app_metadata: Bytes::from(serde_json::to_vec(&metadata).unwrap_or_default()) }
}

/// A batch on its way to the WAL.
#[derive(Debug)]
pub(super) struct PendingBatch {
    table: TableName,
    /// `None` for a batch without rows.
    ack: Option<PendingAck>,
    index: usize,
    bytes: usize,
    read_at: Instant,
}

impl PendingBatch {
    /// Waits until the batch is durable; how many rows it has.
    pub(super) async fn acknowledged(self) -> Result<usize, Status> {
        Ok(self.durable().await?.1.map_or(0, |ack| ack.rows))
    }

    /// Waits until the batch is durable; what its sender is told.
    async fn answer(self) -> Result<PutResult, Status> {
        let (table, ack) = self.durable().await?;
        Ok(put_result(&table, ack.as_ref()))
    }

    async fn durable(self) -> Result<(TableName, Option<Ack>), Status> {
        let Some(ack) = self.ack else { return Ok((self.table, None)) };
        let ack = ack.wait().await.map_err(|error| at_batch(self.index, &engine_status(&error)))?;
        telemetry::batch_acknowledged(ack.rows, self.bytes, self.read_at.elapsed());
        Ok((self.table, Some(ack)))
    }
}

/// The batches of one stream, handed to the engine in order.
pub(super) struct BatchSource {
    engine: Arc<Engine>,
    table: TableName,
    draining: CancellationToken,
    decoder: BatchDecoder,
    first: Option<FlightData>,
    messages: Streaming<FlightData>,
    waits: Waits,
    max_message_bytes: usize,
    /// Batches seen; the first is 1.
    index: usize,
}

impl BatchSource {
    pub(super) fn new(
        context: &FlightContext,
        table: TableName,
        first: FlightData,
        messages: Streaming<FlightData>,
        waits: Waits,
    ) -> Self {
        Self {
            engine: Arc::clone(&context.engine),
            table,
            draining: context.draining.clone(),
            decoder: BatchDecoder::new(context.limits).with_memory(&context.decode_memory),
            first: Some(first),
            messages,
            waits,
            max_message_bytes: context.limits.body_bytes_max,
            index: 0,
        }
    }

    /// Takes the next batch over into the engine; `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> Result<Option<PendingBatch>, Status> {
        while let Some(message) = self.next_message().await? {
            let (read_at, bytes) = (time::now(), message.data_body.len());
            let deadline = self.waits.take_deadline();
            let decoded = self.decoder.decode_by(message, deadline).await;
            let decoded = decoded.map_err(|error| at_batch(self.index + 1, &error.into()))?;
            if let Decoded::Batch(batch) = decoded {
                self.index += 1;
                let ack =
                    self.append(&batch, deadline).await.map_err(|status| at_batch(self.index, &status))?;
                let (table, index) = (self.table.clone(), self.index);
                return Ok(Some(PendingBatch { table, ack, index, bytes, read_at }));
            }
        }
        Ok(None)
    }

    async fn append(&self, batch: &RecordBatch, deadline: Instant) -> Result<Option<PendingAck>, Status> {
        let appended = self.engine.append_by(&self.table, batch, OnBadRow::Refuse, deadline).await;
        Ok(appended.map_err(|error| engine_status(&error))?.ack)
    }

    async fn next_message(&mut self) -> Result<Option<FlightData>, Status> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        tokio::select! {
            biased;
            () = self.draining.cancelled() => Err(Status::unavailable(
                "the server is shutting down; batches without an acknowledgement must be sent again",
            )),
            message = self.messages.message() => message.map_err(|status| unread(&status, self.max_message_bytes)),
        }
    }
}

/// The status with the number of the batch in front; code, details and retry hint stay.
pub(super) fn at_batch(index: usize, status: &Status) -> Status {
    let message = format!("batch {index}: {}", status.message());
    let details = Bytes::copy_from_slice(status.details());
    Status::with_details_and_metadata(status.code(), message, details, status.metadata().clone())
}

/// What a message that could not be read means to its sender. tonic calls one over the limit OUT_OF_RANGE, which says nothing
/// about how to go on.
pub(super) fn unread(status: &Status, max_message_bytes: usize) -> Status {
    if status.code() == Code::OutOfRange {
        let digits = |c: char| !c.is_ascii_digit();
        let found = status.message().split(digits).find(|part| !part.is_empty()).unwrap_or("too many");
        return Status::invalid_argument(format!(
            "the message has {found} bytes, the limit is {max_message_bytes} (max_message); send smaller batches"
        ));
    }
    status.clone()
}
