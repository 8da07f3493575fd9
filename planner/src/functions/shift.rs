//! `lead` and `lag`: DataFusion's, but with IGNORE NULLS over the whole partition at once. Row by row, DataFusion 55 loses count of the rows
//! that are not NULL, and under a LIMIT it stops reading before it has found them.

use std::{ops::Range, sync::Arc};

use arrow::{array::ArrayRef, datatypes::FieldRef};
use datafusion::{
    error::Result,
    functions_window::lead_lag::{lag_udwf, lead_udwf},
    logical_expr::{
        Documentation, LimitEffect, PartitionEvaluator, ReversedUDWF, Signature, WindowUDF, WindowUDFImpl,
        function::{ExpressionArgs, PartitionEvaluatorArgs, WindowUDFFieldArgs},
    },
    physical_plan::{PhysicalExpr, expressions::Literal},
    scalar::ScalarValue,
};

/// Both functions.
pub(super) fn functions() -> [Arc<WindowUDF>; 2] {
    [(lead_udwf(), true), (lag_udwf(), false)]
        .map(|(upstream, leads)| Arc::new(WindowUDF::from(Shift { upstream, leads })))
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Shift {
    upstream: Arc<WindowUDF>,
    leads: bool,
}

impl WindowUDFImpl for Shift {
    fn name(&self) -> &str {
        self.upstream.name()
    }

    fn signature(&self) -> &Signature {
        self.upstream.signature()
    }

    fn expressions(&self, arguments: ExpressionArgs<'_>) -> Vec<Arc<dyn PhysicalExpr>> {
        self.upstream.expressions(arguments)
    }

    fn partition_evaluator(
        &self,
        arguments: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        let ignores_nulls = arguments.ignore_nulls();
        let evaluator = self.upstream.partition_evaluator_factory(arguments)?;
        Ok(if ignores_nulls { Box::new(Whole(evaluator)) } else { evaluator })
    }

    fn field(&self, arguments: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        self.upstream.field(arguments)
    }

    fn reverse_expr(&self) -> ReversedUDWF {
        ReversedUDWF::Reversed(Arc::new(WindowUDF::from(self.clone())))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.upstream.documentation()
    }

    /// The rows behind a LIMIT are needed by `lead`, and by `lag` with a negative offset; how many, IGNORE NULLS does not let tell.
    fn limit_effect(&self, arguments: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        let looks_back = match arguments.get(1).map(|offset| offset.downcast_ref::<Literal>()) {
            None => true,
            Some(Some(offset)) => matches!(offset.value(), ScalarValue::Int64(Some(0..))),
            Some(None) => false,
        };
        if looks_back && !self.leads { LimitEffect::None } else { LimitEffect::Unknown }
    }
}

/// An evaluator that is given whole partitions only.
#[derive(Debug)]
struct Whole(Box<dyn PartitionEvaluator>);

impl PartitionEvaluator for Whole {
    fn get_range(&self, row: usize, row_count: usize) -> Result<Range<usize>> {
        self.0.get_range(row, row_count)
    }

    fn evaluate_all(&mut self, values: &[ArrayRef], row_count: usize) -> Result<ArrayRef> {
        self.0.evaluate_all(values, row_count)
    }
}
