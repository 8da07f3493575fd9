//! `sum` and `avg` of doubles over [`WideSums`], in the place of DataFusion's under the same names, which are infinite or NaN when a
//! partial sum leaves the range. Everything else they leave to DataFusion's.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, UInt64Array},
    compute,
    datatypes::{DataType, Field, FieldRef, Float64Type, UInt64Type},
};
use datafusion::{
    common::ScalarValue,
    error::Result,
    functions_aggregate::{average::avg_udaf, sum::sum_udaf},
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, EmitTo, Expr, GroupsAccumulator,
        Operator, ReversedUDAF, SetMonotonicity, Signature, StatisticsArgs,
        expr::AggregateFunction,
        function::{AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs},
        utils::{AggregateOrderSensitivity, format_state_name},
    },
};

use super::sliding_sum::SlidingSum;
use crate::wide_sums::WideSums;

/// Both functions.
pub(super) fn functions() -> [AggregateUDF; 2] {
    [(sum_udaf(), false), (avg_udaf(), true)]
        .map(|(inner, average)| AggregateUDF::new_from_impl(WideAggregate { inner, average }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct WideAggregate {
    /// DataFusion's.
    inner: Arc<AggregateUDF>,
    average: bool,
}

fn is_ours(args: &AccumulatorArgs<'_>) -> bool {
    let is_double = |field: &FieldRef| *field.data_type() == DataType::Float64;
    !args.is_distinct && is_double(&args.return_field) && args.expr_fields.first().is_some_and(is_double)
}

impl AggregateUDFImpl for WideAggregate {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arguments)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if is_ours(&args) {
            return Ok(Box::new(WideAccumulator::new(self.average)));
        }
        self.inner.accumulator(args)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if is_ours(&args) {
            return Ok(Box::new(SlidingSum::new(self.average)));
        }
        self.inner.create_sliding_accumulator(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        is_ours(&args) || self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        if is_ours(&args) {
            return Ok(Box::new(WideGroups {
                average: self.average,
                counts: vec![],
                sums: WideSums::default(),
            }));
        }
        self.inner.create_groups_accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let is_double = |field: &FieldRef| *field.data_type() == DataType::Float64;
        if args.is_distinct
            || !is_double(&args.return_field)
            || !args.input_fields.first().is_some_and(is_double)
        {
            return self.inner.state_fields(args);
        }
        let field =
            |name, data_type| Arc::new(Field::new(format_state_name(args.name, name), data_type, false));
        Ok(vec![
            field("count", DataType::UInt64),
            field("low", DataType::Float64),
            field("high", DataType::Float64),
        ])
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.inner.reverse_udf()
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        self.inner.simplify()
    }

    fn simplify_expr_op_literal(
        &self,
        call: &AggregateFunction,
        argument: &Expr,
        op: Operator,
        literal: &Expr,
        argument_is_left: bool,
    ) -> Result<Option<Expr>> {
        self.inner.simplify_expr_op_literal(call, argument, op, literal, argument_is_left)
    }

    fn value_from_stats(&self, statistics: &StatisticsArgs<'_>) -> Option<ScalarValue> {
        self.inner.value_from_stats(statistics)
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        self.inner.default_value(data_type)
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.inner.inner().set_monotonicity(data_type)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// One sum of all rows.
#[derive(Debug)]
struct WideAccumulator {
    average: bool,
    count: u64,
    sum: WideSums,
}

impl WideAccumulator {
    fn new(average: bool) -> Self {
        let mut sum = WideSums::default();
        sum.grow(1);
        Self { average, count: 0, sum }
    }

    /// Adds a batch at once; value by value if it leaves the range by itself.
    fn add_all(&mut self, values: &Float64Array) {
        match compute::sum(values) {
            Some(sum) if sum.is_finite() => self.sum.add(0, sum),
            _ => values.iter().flatten().for_each(|value| self.sum.add(0, value)),
        }
    }
}

impl Accumulator for WideAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = values[0].as_primitive::<Float64Type>();
        self.count += (values.len() - values.null_count()) as u64;
        self.add_all(values);
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(result(self.average, self.count, &self.sum, 0)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.sum.bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (low, high) = self.sum.parts(0);
        Ok(vec![ScalarValue::from(self.count), ScalarValue::from(low), ScalarValue::from(high)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (counts, lows, highs) = columns(states);
        self.count += compute::sum(counts).unwrap_or(0);
        lows.iter().flatten().for_each(|low| self.sum.add(0, low));
        highs.iter().flatten().for_each(|high| self.sum.add_high(0, high));
        Ok(())
    }
}

/// A sum per group.
#[derive(Debug)]
struct WideGroups {
    average: bool,
    counts: Vec<u64>,
    sums: WideSums,
}

impl WideGroups {
    fn grow(&mut self, len: usize) {
        self.counts.resize(len.max(self.counts.len()), 0);
        self.sums.grow(len);
    }

    #[inline]
    fn add(&mut self, group: usize, value: f64) {
        self.counts[group] += 1;
        self.sums.add(group, value);
    }

    fn take(&mut self, emit_to: EmitTo) -> (Vec<u64>, WideSums) {
        let counts = emit_to.take_needed(&mut self.counts);
        let (low, high) = self.sums.parts_mut();
        let low = emit_to.take_needed(low);
        let high = if high.is_empty() { vec![] } else { emit_to.take_needed(high) };
        (counts, WideSums::from_parts(low, high))
    }
}

impl GroupsAccumulator for WideGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.grow(total_num_groups);
        let values = values[0].as_primitive::<Float64Type>();
        match (values.nulls(), opt_filter) {
            (None, None) => {
                group_indices.iter().zip(values.values()).for_each(|(group, value)| self.add(*group, *value));
            }
            _ => {
                for (row, group) in group_indices.iter().enumerate() {
                    if counts(values, opt_filter, row) {
                        self.add(*group, values.value(row));
                    }
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (counts, sums) = self.take(emit_to);
        let results = (0..).zip(counts).map(|(group, count)| result(self.average, count, &sums, group));
        Ok(Arc::new(results.collect::<Float64Array>()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (counts, mut sums) = self.take(emit_to);
        let (low, high) = sums.parts_mut();
        high.resize(low.len(), 0.0);
        Ok(vec![
            Arc::new(UInt64Array::from(counts)),
            Arc::new(Float64Array::from(std::mem::take(low))),
            Arc::new(Float64Array::from(std::mem::take(high))),
        ])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.grow(total_num_groups);
        let (counts, lows, highs) = columns(values);
        for (row, group) in group_indices.iter().enumerate() {
            self.counts[*group] += counts.value(row);
            self.sums.add(*group, lows.value(row));
            self.sums.add_high(*group, highs.value(row));
        }
        Ok(())
    }

    /// Each row as a group of its own.
    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<Float64Type>();
        let counted = |row| counts(values, opt_filter, row);
        let rows = 0..values.len();
        let low = rows.clone().map(|row| if counted(row) { values.value(row) } else { 0.0 });
        let low = Float64Array::from_iter_values(low);
        let high = Float64Array::from(vec![0.0; values.len()]);
        let counts = UInt64Array::from_iter_values(rows.map(|row| u64::from(counted(row))));
        Ok(vec![Arc::new(counts), Arc::new(low), Arc::new(high)])
    }

    fn size(&self) -> usize {
        self.counts.capacity() * size_of::<u64>() + self.sums.bytes()
    }
}

/// Whether a row has a value and passes a filter.
fn counts(values: &Float64Array, filter: Option<&BooleanArray>, row: usize) -> bool {
    values.is_valid(row) && filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

/// Null of no rows.
#[expect(clippy::cast_precision_loss, reason = "an average divides by the count as a float, as SQL's does")]
fn result(average: bool, count: u64, sums: &WideSums, place: usize) -> Option<f64> {
    (count > 0).then(|| if average { sums.average(place, count as f64) } else { sums.sum(place) })
}

fn columns(states: &[ArrayRef]) -> (&UInt64Array, &Float64Array, &Float64Array) {
    (states[0].as_primitive::<UInt64Type>(), states[1].as_primitive(), states[2].as_primitive())
}
