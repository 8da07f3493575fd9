//! `Collected`: rows on their way into a window over whole partitions, which keeps all of them, and puts them together once it has seen the last:
//! twice what came, and its own columns beside it. It reserves nothing; this does, until the query ends.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datafusion::{
    error::Result,
    execution::{
        RecordBatchStream, SendableRecordBatchStream, TaskContext,
        memory_pool::{MemoryConsumer, MemoryReservation},
    },
    physical_plan::ExecutionPlan,
};
use futures::{Stream, StreamExt};

use super::{NodeId, Place, Widths};
use crate::through::{Through, ThroughExec};

/// How often the rows are there.
const COPIES: usize = 2;

/// A number of a column of the window; what is larger is bounded by its function. **Units**: bytes.
const COLUMN_BYTES: usize = 16;

/// See the module.
#[derive(Debug)]
pub(crate) struct Collected {
    node: NodeId,
    /// What the window adds to a row. **Units**: bytes.
    added: usize,
}

impl Collected {
    /// The node above the input of a window, which adds so many `columns`.
    pub(crate) fn above(input: Arc<dyn ExecutionPlan>, columns: usize) -> Arc<dyn ExecutionPlan> {
        let added = columns.saturating_mul(COLUMN_BYTES);
        Arc::new(ThroughExec::new(input, Self { node: NodeId::next(), added }))
    }
}

impl Through for Collected {
    const NAME: &'static str = "CollectedExec";

    fn anew(&self) -> Self {
        Self { node: self.node, added: self.added }
    }

    fn execute(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let reservation = MemoryConsumer::new("rows of a window").register(context.memory_pool());
        let (widths, place) = (Widths::of(&context), Place { node: self.node, partition });
        let inner = input.execute(partition, context)?;
        Ok(Box::pin(CollectedStream { inner, widths, place, reservation, added: self.added }))
    }
}

struct CollectedStream {
    inner: SendableRecordBatchStream,
    widths: Widths,
    place: Place,
    reservation: MemoryReservation,
    added: usize,
}

impl CollectedStream {
    fn reserve(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let added = batch.num_rows().saturating_mul(self.added);
        self.reservation.try_grow(bytes_of(&batch).saturating_mul(COPIES).saturating_add(added))?;
        Ok(batch)
    }
}

/// Of the rows themselves, not of the buffers they are a part of, which others share.
fn bytes_of(batch: &RecordBatch) -> usize {
    let columns =
        batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or_default());
    columns.fold(0, usize::saturating_add)
}

impl Stream for CollectedStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.inner.poll_next_unpin(context));
        Poll::Ready(next.map(|batch| batch.and_then(|batch| self.reserve(batch))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl RecordBatchStream for CollectedStream {
    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }
}

impl Drop for CollectedStream {
    fn drop(&mut self) {
        self.widths.keep(self.place, self.reservation.take());
    }
}
