//! Cuts a stream of batches after a number of rows, in the middle of a batch if need be.

use arrow::array::RecordBatch;
use datafusion::error::Result;
use futures::{Stream, StreamExt, TryStreamExt, stream, stream::BoxStream};

/// Ends `batches` after `limit` rows and asks for nothing beyond the batch that completes them.
pub(super) fn take_rows(
    batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
    limit: Option<usize>,
) -> BoxStream<'static, Result<RecordBatch>> {
    let Some(limit) = limit else { return batches.boxed() };
    stream::try_unfold((batches.boxed(), limit), async |(mut batches, left)| {
        if left == 0 {
            return Ok(None);
        }
        let Some(batch) = batches.try_next().await? else { return Ok(None) };
        let batch = batch.slice(0, batch.num_rows().min(left));
        let left = left - batch.num_rows();
        Ok(Some((batch, (batches, left))))
    })
    .boxed()
}
