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

use super::{
    NodeId, Place, Widths,
    bytes::{own_bytes, text_bytes},
};
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
        self.reservation.try_grow(kept_bytes(&batch).saturating_add(added))?;
        Ok(batch)
    }
}

/// The rows as often as they are there, and what their views point at once: copies of a view share it.
fn kept_bytes(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter().map(|column| {
        let texts = text_bytes(column).min(column.get_buffer_memory_size());
        own_bytes(column).saturating_mul(COPIES).saturating_add(texts)
    });
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

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, StringViewArray};

    use super::*;

    #[test]
    fn texts_of_views_count_once_and_those_that_all_rows_share_once_together() {
        let bytes = |texts: StringViewArray| {
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
            let columns: [(&str, ArrayRef); 2] = [("n", numbers), ("t", Arc::new(texts))];
            kept_bytes(&RecordBatch::try_from_iter(columns).unwrap())
        };
        let rows = COPIES * 100 * (8 + 16);
        let text = "x".repeat(1_000);
        let own = bytes(StringViewArray::from_iter_values((0..100).map(|_| &text)));
        assert!((rows + 100_000..rows + 120_000).contains(&own), "{own}");
        let one = StringViewArray::from_iter_values([&text]);
        let (views, buffers) = (vec![one.views()[0]; 100], one.data_buffers().to_vec());
        let shared = bytes(StringViewArray::new(views.into(), buffers, None));
        assert!((rows + 1_000..rows + 20_000).contains(&shared), "{shared}");
    }
}
