//! Small batches wait to be spread together: spread by itself, a batch of a few rows becomes pieces of a row or two.

use arrow::array::RecordBatch;

use super::part::Held;

/// Rows that are spread together at least, unless they are large.
const SPREAD_ROWS_MIN: usize = 16_384;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct SmallBatches {
    waiting: Option<(Vec<RecordBatch>, Held)>,
    rows: usize,
}

impl SmallBatches {
    /// Adds a batch; returns all that wait once they are many.
    pub(super) fn join(
        &mut self,
        batch: RecordBatch,
        held: Held,
        bytes_max: usize,
    ) -> Option<(Vec<RecordBatch>, Held)> {
        self.rows += batch.num_rows();
        let (batches, all) = match &mut self.waiting {
            Some((batches, all)) => {
                all.merge(held);
                (batches, all)
            }
            None => {
                let (batches, all) = self.waiting.insert((vec![], held));
                (batches, all)
            }
        };
        batches.push(batch);
        if self.rows >= SPREAD_ROWS_MIN || all.own.bytes() >= bytes_max { self.take() } else { None }
    }

    /// All that wait.
    pub(super) fn take(&mut self) -> Option<(Vec<RecordBatch>, Held)> {
        self.rows = 0;
        self.waiting.take()
    }
}
