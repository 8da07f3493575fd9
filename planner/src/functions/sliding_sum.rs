//! `SlidingSum`: `sum` and `avg` of doubles over a window that moves. Values leave in the order in which they came, and nothing is ever
//! subtracted: a value of 1e17 takes the digits of its neighbours, and its leaving would not bring them back.
//!
//! Two stacks make the queue. Values that come are added to one sum. When one is to leave and none is prepared, the values that are there
//! become the sums of each and all behind it, so that the oldest can be dropped one after the other.

use arrow::{
    array::{Array, ArrayRef, AsArray},
    datatypes::Float64Type,
};
use datafusion::{
    common::{ScalarValue, internal_err},
    error::Result,
    logical_expr::Accumulator,
};

use crate::wide_sums::WideSums;

/// See the module.
#[derive(Debug)]
pub(super) struct SlidingSum {
    average: bool,
    /// For each of the oldest values the sum of it and those behind it, up to the last that was prepared; the oldest is the last in use.
    prepared: WideSums,
    prepared_count: usize,
    /// Values that came after those, and their sum.
    newer: Vec<f64>,
    newer_sum: WideSums,
}

impl SlidingSum {
    pub(super) fn new(average: bool) -> Self {
        let prepared = WideSums::default();
        Self { average, prepared, prepared_count: 0, newer: vec![], newer_sum: nothing() }
    }

    fn prepare(&mut self) {
        let newer = std::mem::take(&mut self.newer);
        self.prepared = WideSums::default();
        self.prepared.grow(newer.len());
        self.prepared_count = newer.len();
        self.newer_sum = nothing();
        let mut sum = nothing();
        for (place, value) in newer.into_iter().rev().enumerate() {
            sum.add(0, value);
            self.prepared.merge(place, &sum, 0);
        }
    }

    fn sum(&self) -> WideSums {
        let mut sum = nothing();
        if let Some(oldest) = self.prepared_count.checked_sub(1) {
            sum.merge(0, &self.prepared, oldest);
        }
        sum.merge(0, &self.newer_sum, 0);
        sum
    }

    fn count(&self) -> u64 {
        (self.prepared_count + self.newer.len()) as u64
    }
}

/// One sum of no values.
fn nothing() -> WideSums {
    let mut sum = WideSums::default();
    sum.grow(1);
    sum
}

impl Accumulator for SlidingSum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in values[0].as_primitive::<Float64Type>().iter().flatten() {
            self.newer.push(value);
            self.newer_sum.add(0, value);
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for _ in 0..values[0].len() - values[0].null_count() {
            if self.prepared_count == 0 {
                self.prepare();
            }
            let Some(left) = self.prepared_count.checked_sub(1) else {
                return internal_err!("more values leave a window than came into it");
            };
            self.prepared_count = left;
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let (count, sum) = (self.count(), self.sum());
        let value = if self.average { sum.average(0, count as f64) } else { sum.sum(0) };
        Ok(ScalarValue::Float64((count > 0).then_some(value)))
    }

    fn size(&self) -> usize {
        let sums = self.prepared.bytes() + self.newer_sum.bytes();
        size_of_val(self) + sums + self.newer.capacity() * size_of::<f64>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (low, high) = self.sum().parts(0);
        Ok(vec![ScalarValue::from(self.count()), ScalarValue::from(low), ScalarValue::from(high)])
    }

    fn merge_batch(&mut self, _states: &[ArrayRef]) -> Result<()> {
        internal_err!("a window is not merged of parts")
    }
}
