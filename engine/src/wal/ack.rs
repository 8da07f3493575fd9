//! `Ack`: what the caller of an append is told once its batch is durable and visible.

use tokio::sync::oneshot;

use crate::{
    error::{EngineError, Result},
    schema::{Sequence, StreamId, TableName},
};

/// A durable, visible batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The table.
    pub table: TableName,
    /// Rows of the batch.
    pub rows: usize,
    /// The stream that holds it.
    pub stream: StreamId,
    /// The group commit that holds it.
    pub sequence: Sequence,
}

/// An append that is not yet durable; resolves when it is durable and visible.
#[derive(Debug)]
pub struct PendingAck {
    pub(crate) done: oneshot::Receiver<Result<Ack>>,
}

impl PendingAck {
    /// Waits until the batch is durable and visible.
    ///
    /// **Cancellation**: dropping the future does not undo the append; the batch may still become durable.
    ///
    /// # Errors
    /// `Unavailable` when the batch could not be made durable, `Closed` at shutdown.
    pub async fn wait(self) -> Result<Ack> {
        self.done.await.unwrap_or(Err(EngineError::Closed))
    }
}
