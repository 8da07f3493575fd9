//! `BoundedAggregate`: an aggregate whose accumulators keep to [`Bounds`]. In all else it is the aggregate itself.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow::datatypes::{DataType, FieldRef};
use datafusion::{
    common::ScalarValue,
    error::Result,
    logical_expr::{
        Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Expr, GroupsAccumulator, Operator,
        ReversedUDAF, SetMonotonicity, Signature, StatisticsArgs,
        expr::{AggregateFunction, AggregateFunctionParams, WindowFunctionParams},
        function::{AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs},
        utils::AggregateOrderSensitivity,
    },
};

use super::{super::Bounds, collecting::Collecting, groups::CollectingGroups, windowed::Windowed};

/// The aggregate, of which one value is within bounds.
pub(in super::super) fn bounded_aggregate(inner: &Arc<AggregateUDF>, bounds: &Arc<Bounds>) -> AggregateUDF {
    BoundedAggregate { inner: Arc::clone(inner), limit: Limit::Value, bounds: Arc::clone(bounds) }.into()
}

/// The aggregate over a window, of which the answers of the rows are within bounds. `is_constant` where all rows of a partition have one.
pub(crate) fn bounded_in_window(
    inner: &Arc<AggregateUDF>,
    is_constant: bool,
    bounds: &Arc<Bounds>,
) -> AggregateUDF {
    let limit = Limit::Window { is_constant };
    BoundedAggregate { inner: Arc::clone(inner), limit, bounds: Arc::clone(bounds) }.into()
}

/// Whether an aggregate is one that [`bounded_in_window`] makes.
pub(crate) fn is_bounded_in_window(aggregate: &AggregateUDF) -> bool {
    let bounded = aggregate.inner().downcast_ref::<BoundedAggregate>();
    bounded.is_some_and(|bounded| matches!(bounded.limit, Limit::Window { .. }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Limit {
    Value,
    Window { is_constant: bool },
}

#[derive(Debug, Clone)]
struct BoundedAggregate {
    inner: Arc<AggregateUDF>,
    limit: Limit,
    bounds: Arc<Bounds>,
}

impl PartialEq for BoundedAggregate {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner && self.limit == other.limit
    }
}

impl Eq for BoundedAggregate {}

impl Hash for BoundedAggregate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
        self.limit.hash(state);
    }
}

impl BoundedAggregate {
    fn implementation(&self) -> &dyn AggregateUDFImpl {
        self.inner.inner().as_ref()
    }

    fn over(&self, inner: Arc<AggregateUDF>) -> Self {
        Self { inner, ..self.clone() }
    }

    fn within(&self, inner: Box<dyn Accumulator>, args: &AccumulatorArgs<'_>) -> Box<dyn Accumulator> {
        match self.limit {
            Limit::Value => Box::new(Collecting::new(inner, self.name(), args, &self.bounds)),
            Limit::Window { is_constant } => {
                Box::new(Windowed::new(inner, self.name(), is_constant, &self.bounds))
            }
        }
    }
}

#[warn(clippy::missing_trait_methods)]
impl AggregateUDFImpl for BoundedAggregate {
    fn name(&self) -> &str {
        self.implementation().name()
    }

    fn aliases(&self) -> &[String] {
        self.implementation().aliases()
    }

    fn schema_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.implementation().schema_name(params)
    }

    fn human_display(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.implementation().human_display(params)
    }

    fn window_function_schema_name(&self, params: &WindowFunctionParams) -> Result<String> {
        self.implementation().window_function_schema_name(params)
    }

    fn display_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.implementation().display_name(params)
    }

    fn window_function_display_name(&self, params: &WindowFunctionParams) -> Result<String> {
        self.implementation().window_function_display_name(params)
    }

    fn signature(&self) -> &Signature {
        self.implementation().signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.implementation().return_type(types)
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        self.implementation().return_field(fields)
    }

    fn is_nullable(&self) -> bool {
        self.implementation().is_nullable()
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(self.within(self.implementation().accumulator(args.clone())?, &args))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(self.within(self.implementation().create_sliding_accumulator(args.clone())?, &args))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.implementation().state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.implementation().groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        let inner = self.implementation().create_groups_accumulator(args.clone())?;
        Ok(match self.limit {
            Limit::Value => Box::new(CollectingGroups::new(inner, self.name(), &args, &self.bounds)),
            Limit::Window { .. } => inner,
        })
    }

    fn with_beneficial_ordering(
        self: Arc<Self>,
        beneficial_ordering: bool,
    ) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        let inner = Arc::clone(self.inner.inner()).with_beneficial_ordering(beneficial_ordering)?;
        let inner = inner.map(|inner| Arc::new(AggregateUDF::new_from_shared_impl(inner)));
        Ok(inner.map(|inner| Arc::new(self.over(inner)) as _))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.implementation().order_sensitivity()
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        self.implementation().simplify()
    }

    fn simplify_expr_op_literal(
        &self,
        call: &AggregateFunction,
        argument: &Expr,
        op: Operator,
        literal: &Expr,
        argument_is_left: bool,
    ) -> Result<Option<Expr>> {
        self.implementation().simplify_expr_op_literal(call, argument, op, literal, argument_is_left)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        match self.implementation().reverse_expr() {
            ReversedUDAF::Reversed(inner) => ReversedUDAF::Reversed(Arc::new(self.over(inner).into())),
            other => other,
        }
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.implementation().coerce_types(types)
    }

    fn is_descending(&self) -> Option<bool> {
        self.implementation().is_descending()
    }

    fn value_from_stats(&self, statistics: &StatisticsArgs<'_>) -> Option<ScalarValue> {
        self.implementation().value_from_stats(statistics)
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        self.implementation().default_value(data_type)
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.implementation().supports_null_handling_clause()
    }

    fn supports_within_group_clause(&self) -> bool {
        self.implementation().supports_within_group_clause()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.implementation().set_monotonicity(data_type)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.implementation().documentation()
    }
}
