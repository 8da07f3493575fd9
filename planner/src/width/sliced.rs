//! `Sliced`: rows that come in batches as short as the session says, or shorter, also from a scan that hands on what is in memory as it lies there.
//! For the right side of a nested loop join, which makes a batch of each of its batches and a left row, and for what makes many columns of
//! each row before it asks for memory. There a slice is copied out of a batch that is much larger: whoever keeps several would count the whole
//! batch for each.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt64Array},
    compute::take,
    datatypes::DataType,
};
use datafusion::{
    error::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_plan::{
        ExecutionPlan,
        metrics::{ExecutionPlanMetricsSet, SplitMetrics},
        stream::{BatchSplitStream, RecordBatchStreamAdapter},
    },
};
use futures::StreamExt;

use super::bytes::column_bytes;
use crate::through::{Through, ThroughExec};

/// What a column may keep alive beyond its own rows without being copied, besides as much as these have. **Units**: bytes.
const SHARED_BYTES_MAX: usize = 16 << 10;

/// See the module.
#[derive(Debug)]
pub(crate) struct Sliced {
    rows_max: usize,
}

impl Sliced {
    /// The node above `input`.
    pub(crate) fn above(input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Self::to(input, usize::MAX)
    }

    /// The node above `input` whose batches have at most so many rows.
    pub(crate) fn to(input: Arc<dyn ExecutionPlan>, rows_max: usize) -> Arc<dyn ExecutionPlan> {
        Arc::new(ThroughExec::new(input, Self { rows_max }))
    }
}

impl Through for Sliced {
    const NAME: &'static str = "SlicedExec";

    fn anew(&self) -> Self {
        Self { rows_max: self.rows_max }
    }

    fn execute(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = context.session_config().batch_size().min(self.rows_max);
        let metrics = SplitMetrics::new(&ExecutionPlanMetricsSet::new(), partition);
        let slices = BatchSplitStream::new(input.execute(partition, context)?, rows, metrics);
        if self.rows_max == usize::MAX {
            return Ok(Box::pin(slices));
        }
        let copies = slices.map(|slice| slice.and_then(|slice| by_itself(&slice)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(input.schema(), copies)))
    }
}

/// The rows, with few others kept alive by them.
fn by_itself(slice: &RecordBatch) -> Result<RecordBatch> {
    let all = UInt64Array::from_iter_values(0..u64::try_from(slice.num_rows()).unwrap_or_default());
    let columns = slice.columns().iter().map(|column| copied(column, &all)).collect::<Result<Vec<_>>>()?;
    let rows = RecordBatchOptions::new().with_row_count(Some(slice.num_rows()));
    Ok(RecordBatch::try_new_with_options(slice.schema(), columns, &rows)?)
}

fn copied(column: &ArrayRef, all: &UInt64Array) -> Result<ArrayRef> {
    let own = column_bytes(column);
    if column.get_buffer_memory_size() <= 2 * own + SHARED_BYTES_MAX {
        return Ok(Arc::clone(column));
    }
    Ok(match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
        _ => take(column, all, None)?,
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray, StringViewArray};

    use super::*;

    #[test]
    fn a_slice_of_a_large_batch_keeps_little_of_it() {
        let texts = || (0..10_000).map(|row| Some(format!("a text that is no part of its view {row}")));
        let columns: [(&str, ArrayRef); 3] = [
            ("numbers", Arc::new(Int64Array::from_iter_values(0..10_000))),
            ("texts", Arc::new(texts().collect::<StringArray>())),
            ("views", Arc::new(texts().collect::<StringViewArray>())),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let slice = batch.slice(5_000, 100);
        let copy = by_itself(&slice).unwrap();
        assert_eq!(copy, slice);
        assert!(copy.get_array_memory_size() < 40_000, "{}", copy.get_array_memory_size());
        let most = batch.slice(0, 9_000);
        let kept = by_itself(&most).unwrap();
        assert_eq!(kept.get_array_memory_size(), most.get_array_memory_size(), "nothing is copied");
    }
}
