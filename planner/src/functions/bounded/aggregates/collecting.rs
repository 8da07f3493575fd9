//! `Collecting`: an accumulator whose value has an item for each row. Too large a value is refused before its rows are kept.

use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion::{
    common::ScalarValue,
    error::Result,
    logical_expr::{Accumulator, function::AccumulatorArgs},
};

use super::{
    super::bounds::{Bounds, count},
    measure::{Measure, value_bytes},
};
use crate::turn::small_piece;

/// See the module.
#[derive(Debug)]
pub(super) struct Collecting {
    inner: Box<dyn Accumulator>,
    function: Arc<str>,
    bounds: Arc<Bounds>,
    measure: Measure,
    /// Of its values, how often each is there does not tell how large the result becomes.
    is_distinct: bool,
    /// What the rows have that it was given, and that were not taken back.
    bytes: u64,
    /// From how many bytes on it is looked at what distinct values take: to look takes time.
    looked_at: u64,
}

impl Collecting {
    pub(super) fn new(
        inner: Box<dyn Accumulator>,
        function: &str,
        args: &AccumulatorArgs<'_>,
        bounds: &Arc<Bounds>,
    ) -> Self {
        Self {
            inner,
            function: Arc::from(function),
            bounds: Arc::clone(bounds),
            measure: Measure::of(args.return_field.data_type()),
            is_distinct: args.is_distinct,
            bytes: 0,
            looked_at: 0,
        }
    }

    /// Before rows are kept.
    fn add(&mut self, bytes: u64) -> Result<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        if !self.is_distinct {
            return self.bounds.check_value(&self.function, self.bytes, true);
        }
        let step = self.bounds.batch_bytes() / 4;
        if self.bytes < self.looked_at.saturating_add(step) {
            return Ok(());
        }
        self.looked_at = self.bytes;
        self.bounds.check_distinct(&self.function, count(self.inner.size()))
    }
}

impl Accumulator for Collecting {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(self.measure.rows(values))?;
        small_piece(|| self.inner.update_batch(values))
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.bytes = self.bytes.saturating_sub(self.measure.rows(values));
        self.looked_at = self.looked_at.min(self.bytes);
        self.inner.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let value = small_piece(|| self.inner.evaluate())?;
        if self.is_distinct {
            self.bounds.check_value(&self.function, value_bytes(&value), true)?;
        }
        Ok(value)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        small_piece(|| self.inner.state())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        if let Some(parts) = states.first() {
            self.add((0..parts.len()).map(|row| self.measure.part(parts, row)).sum())?;
        }
        small_piece(|| self.inner.merge_batch(states))
    }
}
