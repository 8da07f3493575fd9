//! `SlidingSpread`: variances, covariances, correlations and regressions over a window that moves. DataFusion takes a value that leaves
//! out of the running state by subtraction (<https://github.com/apache/datafusion/issues/13247>): after 1e15 nothing is left of the
//! digits of its neighbours, and a variance of 0.5 was 0, 1.5 or negative. PostgreSQL computes such windows anew for each row.
//!
//! Two stacks make the queue, as in [`super::sliding_sum`]: nothing is ever subtracted, and each value is merged twice.

use arrow::{
    array::{ArrayRef, AsArray},
    datatypes::Float64Type,
};
use datafusion::{
    common::{ScalarValue, internal_err},
    error::Result,
    logical_expr::Accumulator,
};

use super::spread::{Spread, Statistic};

/// See the module.
#[derive(Debug)]
pub(super) struct SlidingSpread {
    statistic: Statistic,
    /// For each of the oldest pairs the spread of it and those behind it, up to the last that was prepared; the oldest is the last.
    prepared: Vec<Spread>,
    /// Pairs that came after those, and their spread.
    newer: Vec<(f64, f64)>,
    newer_spread: Spread,
}

impl SlidingSpread {
    pub(super) fn new(statistic: Statistic) -> Self {
        Self { statistic, prepared: vec![], newer: vec![], newer_spread: Spread::default() }
    }

    fn prepare(&mut self) {
        let mut spread = Spread::default();
        for (first, second) in self.newer.drain(..).rev() {
            spread = Spread::of(first, second).merged(spread);
            self.prepared.push(spread);
        }
        self.newer_spread = Spread::default();
    }

    fn spread(&self) -> Spread {
        self.prepared.last().copied().unwrap_or_default().merged(self.newer_spread)
    }
}

impl Accumulator for SlidingSpread {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for (first, second) in pairs(values) {
            self.newer.push((first, second));
            self.newer_spread = self.newer_spread.merged(Spread::of(first, second));
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for _ in pairs(values) {
            if self.prepared.is_empty() {
                self.prepare();
            }
            if self.prepared.pop().is_none() {
                return internal_err!("more values leave a window than came into it");
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.statistic.of(self.spread()))
    }

    fn size(&self) -> usize {
        size_of_val(self)
            + self.prepared.capacity() * size_of::<Spread>()
            + self.newer.capacity() * size_of::<(f64, f64)>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        internal_err!("a window has no parts")
    }

    fn merge_batch(&mut self, _states: &[ArrayRef]) -> Result<()> {
        internal_err!("a window is not merged of parts")
    }
}

/// The rows in which no argument is null; a function of one argument has it twice.
fn pairs(values: &[ArrayRef]) -> impl Iterator<Item = (f64, f64)> {
    let first = values[0].as_primitive::<Float64Type>();
    let second = values.get(1).map_or(first, |second| second.as_primitive());
    first.iter().zip(second).filter_map(|(first, second)| first.zip(second))
}
