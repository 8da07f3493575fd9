//! `Windowed`: an accumulator that answers the rows of a window, within bounds. DataFusion makes the answers of a whole batch, or of a whole
//! partition, in one poll: between two of them it asks whether the query has ended.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use datafusion::{common::ScalarValue, error::Result, logical_expr::Accumulator};

use super::{
    super::bounds::{Bounds, count},
    answers::Answers,
};
use crate::turn::small_piece;

/// See the module.
#[derive(Debug)]
pub(super) struct Windowed {
    inner: Box<dyn Accumulator>,
    answers: Answers,
    /// Whether all rows of a partition have one answer, which is asked for once.
    is_constant: bool,
    rows: u64,
}

impl Windowed {
    pub(super) fn new(
        inner: Box<dyn Accumulator>,
        function: &str,
        is_constant: bool,
        bounds: &Arc<Bounds>,
    ) -> Self {
        Self { inner, answers: Answers::new(function, bounds), is_constant, rows: 0 }
    }
}

impl Accumulator for Windowed {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.rows += count(values.first().map_or(0, Array::len));
        small_piece(|| self.inner.update_batch(values))
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        small_piece(|| self.inner.retract_batch(values))
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let answer = small_piece(|| self.inner.evaluate())?;
        if self.is_constant {
            self.answers.of_all(&answer, self.rows)?;
        } else {
            self.answers.next(&answer)?;
        }
        Ok(answer)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use datafusion::{
        execution::memory_pool::{MemoryPool, UnboundedMemoryPool},
        functions_aggregate::count::SlidingDistinctCountAccumulator,
    };
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::turn::{Ended, within};
    use hexflight_engine::time;

    /// Rows are answered for as long as the query goes on.
    #[test]
    fn an_answer_of_a_query_that_has_ended_is_not_made() {
        let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
        let inner = SlidingDistinctCountAccumulator::try_new(&arrow::datatypes::DataType::Int64).unwrap();
        let mut windowed = Windowed::new(Box::new(inner), "count", false, &Bounds::new(&pool, &pool));
        let token = CancellationToken::new();
        token.cancel();
        let began = time::now();
        let error = within(&Ended::with(&token), "WindowAggExec", || {
            loop {
                assert!(began.elapsed() < Duration::from_secs(10));
                if let Err(error) = windowed.evaluate() {
                    return error;
                }
            }
        });
        assert!(error.to_string().contains("the query has ended"), "{error}");
    }
}
