//! `Measured`: rows on their way into a join, which may copy each for all rows of a batch. What that takes is reserved; where it is too much,
//! the query is to run again with batches of fewer rows.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datafusion::{
    common::exec_err,
    error::Result,
    execution::{
        RecordBatchStream, SendableRecordBatchStream, TaskContext,
        memory_pool::{MemoryConsumer, MemoryReservation},
    },
    physical_plan::{ExecutionPlan, ExecutionPlanProperties},
};
use futures::{Stream, StreamExt};

use super::{NodeId, Place, Widths, columns::counted};
use crate::{
    functions::{Bounds, largest_bytes},
    through::{Through, ThroughExec},
};

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    bounds: Arc<Bounds>,
    /// Those that the join gives out or asks, and that can be large.
    columns: Arc<[usize]>,
    /// How many partitions of the join copy the rows at once.
    partitions: usize,
    node: NodeId,
}

impl Measured {
    /// The node above the input of a join in so many partitions, which copies those `columns`.
    pub(crate) fn above(
        input: Arc<dyn ExecutionPlan>,
        columns: Vec<usize>,
        partitions: usize,
        bounds: &Arc<Bounds>,
    ) -> Arc<dyn ExecutionPlan> {
        let partitions = (partitions / input.output_partitioning().partition_count().max(1)).max(1);
        let way =
            Self { bounds: Arc::clone(bounds), columns: columns.into(), partitions, node: NodeId::next() };
        Arc::new(ThroughExec::new(input, way))
    }
}

impl Through for Measured {
    const NAME: &'static str = "MeasuredExec";

    fn anew(&self) -> Self {
        self.clone()
    }

    fn execute(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let width = Width {
            way: self.clone(),
            place: Place { node: self.node, partition },
            rows: context.session_config().batch_size(),
            widths: Widths::of(&context),
            reservation: MemoryConsumer::new("rows of a join").register(context.memory_pool()),
            widest: 0,
        };
        let inner = input.execute(partition, context)?;
        Ok(Box::pin(MeasuredStream { inner, width }))
    }
}

/// What has been seen of one input.
#[derive(Debug)]
struct Width {
    way: Measured,
    place: Place,
    /// Of a batch of the join.
    rows: usize,
    widths: Widths,
    /// For one batch of the widest rows so far in each partition of the join.
    reservation: MemoryReservation,
    /// **Units**: bytes.
    widest: u64,
}

impl Width {
    /// # Errors
    /// `Execution` when the rows are too wide, `ResourcesExhausted` when there is no memory for a batch of them.
    fn measure(&mut self, batch: &RecordBatch) -> Result<()> {
        // At most: the widest values may be in different rows.
        let widths = self.way.columns.iter().map(|column| {
            let column = batch.column(*column);
            largest_bytes(column).map(|bytes| counted(column.data_type(), bytes))
        });
        let bytes = widths.sum::<Result<u64>>()?;
        if bytes <= self.widest {
            return Ok(());
        }
        self.widest = bytes;
        let bounds = &self.way.bounds;
        let (rows, most) = (bounds.joined_rows(bytes), bounds.joined_bytes());
        if bytes > most {
            return exec_err!(
                "join: texts and lists of {bytes} bytes in a row; a row has at most {most} bytes"
            );
        }
        let all = bytes.saturating_mul(u64::try_from(self.rows).unwrap_or(u64::MAX));
        let could_be_shorter = rows <= self.rows / 2 && !self.widths.is_last();
        if all > most && could_be_shorter {
            self.widths.ask_for(rows);
            return exec_err!("join: {} rows of {bytes} bytes; a batch has at most {most} bytes", self.rows);
        }
        if !Bounds::is_reserved(all) {
            return Ok(());
        }
        let all = usize::try_from(all).unwrap_or(usize::MAX).saturating_mul(self.way.partitions);
        let reserved = self.reservation.try_resize(all);
        if reserved.is_err() && could_be_shorter {
            self.widths.ask_for(rows);
        }
        reserved
    }
}

impl Drop for Width {
    /// What was read before the join began is copied until it ends.
    fn drop(&mut self) {
        self.widths.keep(self.place, self.reservation.take());
    }
}

struct MeasuredStream {
    inner: SendableRecordBatchStream,
    width: Width,
}

impl Stream for MeasuredStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.inner.poll_next_unpin(context));
        Poll::Ready(next.map(|batch| batch.and_then(|batch| self.width.measure(&batch).map(|()| batch))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl RecordBatchStream for MeasuredStream {
    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, StringArray};
    use datafusion::{
        error::DataFusionError,
        execution::memory_pool::{GreedyMemoryPool, MemoryPool},
    };

    use super::*;

    const BYTES: usize = 64 << 20;

    fn width(rows: usize, free: usize) -> Width {
        let pool = |bytes| Arc::new(GreedyMemoryPool::new(bytes)) as Arc<dyn MemoryPool>;
        Width {
            way: Measured {
                bounds: Bounds::new(&pool(BYTES), &pool(BYTES)),
                columns: Arc::from([0, 1]),
                partitions: 2,
                node: NodeId::next(),
            },
            place: Place { node: NodeId::next(), partition: 0 },
            rows,
            widths: Widths::default(),
            reservation: MemoryConsumer::new("test").register(&pool(free)),
            widest: 0,
        }
    }

    /// Two columns of a text of so many bytes.
    fn batch(bytes: usize) -> RecordBatch {
        let texts = |bytes| Arc::new(StringArray::from(vec!["x".repeat(bytes), String::new()])) as ArrayRef;
        RecordBatch::try_from_iter([("a", texts(bytes / 2)), ("b", texts(bytes - bytes / 2))]).unwrap()
    }

    #[test]
    fn a_batch_of_the_widest_rows_is_reserved() {
        let mut width = width(1_000, BYTES);
        for (bytes, reserved) in [(100, 0), (5_000, 10_000_000), (200, 10_000_000), (6_000, 12_000_000)] {
            width.measure(&batch(bytes)).unwrap();
            assert_eq!(width.reservation.size(), reserved, "{bytes}");
        }
        let widths = width.widths.clone();
        assert_eq!(widths.shorter(), None);
        drop(width);
        let kept = widths.0.kept.lock();
        assert_eq!(kept.values().map(MemoryReservation::size).sum::<usize>(), 12_000_000, "the join goes on");
    }

    #[test]
    fn wide_rows_ask_for_shorter_batches_until_one_row_is_too_much() {
        let mut usual = width(8_192, BYTES);
        let error = usual.measure(&batch(10_000)).unwrap_err().to_string();
        assert!(error.contains("8192 rows of 10000 bytes"), "{error}");
        let rows = usual.widths.shorter().unwrap();
        assert_eq!(rows, BYTES / 4 / 16 / 10_000);
        width(rows, BYTES).measure(&batch(10_000)).unwrap();
        width(1, BYTES).measure(&batch(7 << 20)).unwrap();
        let mut single = width(1, BYTES);
        let error = single.measure(&batch(9 << 20)).unwrap_err().to_string();
        assert!(error.contains("a row has at most 8388608 bytes"), "{error}");
        assert_eq!(single.widths.shorter(), None, "no batch has less than a row");
    }

    #[test]
    fn when_rows_were_sent_there_is_memory_or_an_end() {
        let mut width = width(8_192, 200 << 20);
        width.widths.no_other_run();
        width.measure(&batch(10_000)).unwrap();
        let error = width.measure(&batch(20_000)).unwrap_err();
        assert!(matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)), "{error}");
        assert_eq!(width.widths.shorter(), None);
    }

    #[test]
    fn without_memory_for_a_batch_it_is_to_be_shorter() {
        let mut width = width(1_000, 1 << 20);
        width.measure(&batch(5_000)).unwrap_err();
        assert_eq!(width.widths.shorter(), Some(BYTES / 4 / 16 / 5_000));
    }
}
