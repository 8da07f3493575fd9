//! `BoundedWindowFunction`: a window function, `first_value`, `lag` and their like, whose answers are within [`Bounds`], and that asks
//! between two of them whether the query has ended. In all else it is the function itself.

use std::{
    hash::{Hash, Hasher},
    ops::Range,
    sync::Arc,
};

use arrow::{
    array::ArrayRef,
    compute::SortOptions,
    datatypes::{DataType, FieldRef},
};
use datafusion::{
    error::Result,
    logical_expr::{
        Documentation, LimitEffect, PartitionEvaluator, ReversedUDWF, Signature, WindowUDF, WindowUDFImpl,
        function::{
            ExpressionArgs, PartitionEvaluatorArgs, WindowFunctionSimplification, WindowUDFFieldArgs,
        },
        window_state::WindowAggState,
    },
    physical_plan::PhysicalExpr,
    scalar::ScalarValue,
};

use super::{super::Bounds, answers::Answers};
use crate::turn::small_piece;

/// The function within bounds.
pub(crate) fn bounded_window_function(inner: &Arc<WindowUDF>, bounds: &Arc<Bounds>) -> WindowUDF {
    BoundedWindowFunction { inner: Arc::clone(inner), bounds: Arc::clone(bounds) }.into()
}

/// Whether a function is one that [`bounded_window_function`] makes.
pub(crate) fn is_bounded_window_function(function: &WindowUDF) -> bool {
    function.inner().is::<BoundedWindowFunction>()
}

#[derive(Debug, Clone)]
struct BoundedWindowFunction {
    inner: Arc<WindowUDF>,
    bounds: Arc<Bounds>,
}

impl PartialEq for BoundedWindowFunction {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for BoundedWindowFunction {}

impl Hash for BoundedWindowFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl BoundedWindowFunction {
    fn implementation(&self) -> &dyn WindowUDFImpl {
        self.inner.inner().as_ref()
    }
}

#[warn(clippy::missing_trait_methods)]
impl WindowUDFImpl for BoundedWindowFunction {
    fn name(&self) -> &str {
        self.implementation().name()
    }

    fn aliases(&self) -> &[String] {
        self.implementation().aliases()
    }

    fn signature(&self) -> &Signature {
        self.implementation().signature()
    }

    fn expressions(&self, arguments: ExpressionArgs<'_>) -> Vec<Arc<dyn PhysicalExpr>> {
        self.implementation().expressions(arguments)
    }

    fn partition_evaluator(
        &self,
        arguments: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        let inner = self.implementation().partition_evaluator(arguments)?;
        Ok(Box::new(WindowedRows { inner, answers: Answers::new(self.name(), &self.bounds) }))
    }

    fn simplify(&self) -> Option<WindowFunctionSimplification> {
        self.implementation().simplify()
    }

    fn field(&self, arguments: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        self.implementation().field(arguments)
    }

    fn sort_options(&self) -> Option<SortOptions> {
        self.implementation().sort_options()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.implementation().coerce_types(types)
    }

    fn reverse_expr(&self) -> ReversedUDWF {
        match self.implementation().reverse_expr() {
            ReversedUDWF::Reversed(inner) => {
                ReversedUDWF::Reversed(Arc::new(bounded_window_function(&inner, &self.bounds)))
            }
            other => other,
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.implementation().documentation()
    }

    fn limit_effect(&self, arguments: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        self.implementation().limit_effect(arguments)
    }
}

/// See the module.
#[derive(Debug)]
struct WindowedRows {
    inner: Box<dyn PartitionEvaluator>,
    answers: Answers,
}

#[warn(clippy::missing_trait_methods)]
impl PartitionEvaluator for WindowedRows {
    fn memoize(&mut self, state: &mut WindowAggState) -> Result<()> {
        self.inner.memoize(state)
    }

    fn get_range(&self, row: usize, row_count: usize) -> Result<Range<usize>> {
        self.inner.get_range(row, row_count)
    }

    fn is_causal(&self) -> bool {
        self.inner.is_causal()
    }

    fn evaluate_all(&mut self, values: &[ArrayRef], row_count: usize) -> Result<ArrayRef> {
        small_piece(|| self.inner.evaluate_all(values, row_count))
    }

    fn evaluate(&mut self, values: &[ArrayRef], range: &Range<usize>) -> Result<ScalarValue> {
        let answer = small_piece(|| self.inner.evaluate(values, range))?;
        self.answers.next(&answer)?;
        Ok(answer)
    }

    fn evaluate_all_with_rank(
        &self,
        row_count: usize,
        ranks_in_partition: &[Range<usize>],
    ) -> Result<ArrayRef> {
        small_piece(|| self.inner.evaluate_all_with_rank(row_count, ranks_in_partition))
    }

    fn supports_bounded_execution(&self) -> bool {
        self.inner.supports_bounded_execution()
    }

    fn uses_window_frame(&self) -> bool {
        self.inner.uses_window_frame()
    }

    fn include_rank(&self) -> bool {
        self.inner.include_rank()
    }
}
