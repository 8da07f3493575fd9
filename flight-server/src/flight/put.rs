//! `DoPut` into a table: messages → batches → engine, acks in order as batches become durable. Reading goes on while earlier
//! batches are on their way to the WAL.
//!
//! ```text
//!  messages ─▶ BatchSource::next ─▶ at most 64 pending ─▶ acknowledge ─▶ at most 65,536 waiting ─▶ client
//! ```
//! The first bad batch ends the stream; the acks of the batches before it are sent first. A batch without rows is no bad batch: it
//! is checked by its columns and acknowledged in its turn, and nothing is written for it.

use std::sync::Arc;

use arrow_flight::{FlightData, PutResult};
use futures::{StreamExt, stream::BoxStream};
use hexflight_engine::TableName;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{
    FlightContext,
    batch_source::{BatchSource, PendingBatch},
};
use crate::{arrival::Waits, telemetry};

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
