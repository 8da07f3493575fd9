//! `CollectingGroups`: as [`super::collecting`], for many groups at once.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use datafusion::{
    error::Result,
    logical_expr::{EmitTo, GroupsAccumulator, function::AccumulatorArgs},
};

use super::{
    super::bounds::Bounds,
    measure::{Measure, passes},
};
use crate::turn::small_piece;

/// See the module.
pub(super) struct CollectingGroups {
    inner: Box<dyn GroupsAccumulator>,
    function: Arc<str>,
    bounds: Arc<Bounds>,
    measure: Measure,
    /// What each group's value has so far.
    bytes: Vec<u64>,
}

impl CollectingGroups {
    pub(super) fn new(
        inner: Box<dyn GroupsAccumulator>,
        function: &str,
        args: &AccumulatorArgs<'_>,
        bounds: &Arc<Bounds>,
    ) -> Self {
        Self {
            inner,
            function: Arc::from(function),
            bounds: Arc::clone(bounds),
            measure: Measure::of(args.return_field.data_type()),
            bytes: vec![],
        }
    }

    /// Before rows are kept.
    fn add(&mut self, groups: &[usize], total: usize, of_row: impl Fn(Measure, usize) -> u64) -> Result<()> {
        self.bytes.resize(total.max(self.bytes.len()), 0);
        let mut most = 0;
        for (row, group) in groups.iter().enumerate() {
            let bytes = &mut self.bytes[*group];
            *bytes = bytes.saturating_add(of_row(self.measure, row));
            most = most.max(*bytes);
        }
        self.bounds.check_value(&self.function, most, true)
    }
}

impl GroupsAccumulator for CollectingGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.add(group_indices, total_num_groups, |measure, row| {
            if passes(opt_filter, row) { measure.row(values, row) } else { 0 }
        })?;
        small_piece(|| self.inner.update_batch(values, group_indices, opt_filter, total_num_groups))
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        emit_to.take_needed(&mut self.bytes);
        small_piece(|| self.inner.evaluate(emit_to))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        emit_to.take_needed(&mut self.bytes);
        small_piece(|| self.inner.state(emit_to))
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        if let Some(parts) = values.first() {
            self.add(group_indices, total_num_groups, |measure, row| measure.part(parts, row))?;
        }
        small_piece(|| self.inner.merge_batch(values, group_indices, total_num_groups))
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(values, opt_filter)
    }

    fn size(&self) -> usize {
        self.inner.size() + self.bytes.capacity() * size_of::<u64>()
    }
}
