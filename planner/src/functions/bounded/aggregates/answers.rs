//! `Answers`: what a function answers the rows of a window with. One answer for each of 20,000 rows that each have a letter more than the one
//! before are 200 MB, and with 2,000 letters more 400 GB.

use std::sync::Arc;

use datafusion::{common::ScalarValue, error::Result, execution::memory_pool::MemoryReservation};

use super::{
    super::bounds::{BATCH_ROWS, Bounds},
    measure::value_bytes,
};

/// See the module. Those of one partition; they are reserved until the next rows are answered, or the partition is at its end.
#[derive(Debug)]
pub(super) struct Answers {
    function: Arc<str>,
    bounds: Arc<Bounds>,
    rows: u64,
    bytes: u64,
    reservation: Option<MemoryReservation>,
}

impl Answers {
    pub(super) fn new(function: &str, bounds: &Arc<Bounds>) -> Self {
        Self {
            function: Arc::from(function),
            bounds: Arc::clone(bounds),
            rows: 0,
            bytes: 0,
            reservation: None,
        }
    }

    /// Notes the answer of the next row.
    ///
    /// # Errors
    /// `Execution` when the last rows are too large together, `ResourcesExhausted` when queries have no more memory.
    pub(super) fn next(&mut self, answer: &ScalarValue) -> Result<()> {
        if self.rows == BATCH_ROWS {
            (self.rows, self.bytes, self.reservation) = (0, 0, None);
        }
        self.add(1, value_bytes(answer))
    }

    /// Notes the one answer of all rows of a partition, each of which is given a copy.
    ///
    /// # Errors
    /// See [`Self::next`].
    pub(super) fn of_all(&mut self, answer: &ScalarValue, rows: u64) -> Result<()> {
        self.add(rows, value_bytes(answer).saturating_mul(rows))
    }

    fn add(&mut self, rows: u64, bytes: u64) -> Result<()> {
        self.rows = self.rows.saturating_add(rows);
        self.bytes = self.bytes.saturating_add(bytes);
        self.bounds.check_window(&self.function, self.rows, self.bytes)?;
        self.bounds.reserve_up_to(&self.function, self.bytes, &mut self.reservation)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};

    use super::*;

    fn text(bytes: usize) -> ScalarValue {
        ScalarValue::from("x".repeat(bytes))
    }

    fn answers() -> (Answers, Arc<dyn MemoryPool>) {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(64 << 20));
        (Answers::new("string_agg", &Bounds::new(&pool, &pool)), pool)
    }

    #[test]
    fn rows_after_each_other_are_bounded_together() {
        let (mut answers, pool) = answers();
        for _ in 0..16 {
            answers.next(&text(1 << 20)).unwrap();
        }
        assert_eq!(pool.reserved(), 16 << 20);
        let error = answers.next(&text(1)).unwrap_err().to_string();
        assert!(error.contains("string_agg: 17 rows of a window have 16777217 bytes together"), "{error}");
        drop(answers);
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn rows_of_another_batch_begin_anew() {
        let (mut answers, _pool) = answers();
        for _ in 0..5 * BATCH_ROWS {
            answers.next(&text(2_000)).unwrap();
        }
    }

    #[test]
    fn one_answer_of_all_rows_is_counted_for_each() {
        let (mut answers, _pool) = answers();
        assert!(answers.of_all(&text(1 << 20), 17).is_err());
    }
}
