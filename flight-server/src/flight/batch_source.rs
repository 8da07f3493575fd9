//! `BatchSource` reads the batches of one stream and hands them to the engine in order; a `PendingBatch` waits until
//! one is durable.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow_flight::{FlightData, PutResult};
use bytes::Bytes;
use hexflight_engine::{
    Ack, Engine, OnBadRow, PendingAck, TableName,
    time::{self, Instant},
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::{
    FlightContext,
    ipc::{BatchDecoder, Decoded},
    message_status::{at_batch, unread},
};
use crate::{arrival::Waits, status::engine_status, telemetry};

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
    pub(super) async fn answer(self) -> Result<PutResult, Status> {
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
