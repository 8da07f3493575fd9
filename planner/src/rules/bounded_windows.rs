//! `BoundedWindows`: what functions answer the rows of a window with is within bounds, and between two answers they ask whether the query has
//! ended. A running `array_agg` has the square of its rows, and DataFusion makes the answers of a whole partition in one poll.

use std::sync::Arc;

use datafusion::{
    common::{
        DFSchema,
        tree_node::{Transformed, TreeNode},
    },
    error::Result,
    logical_expr::{
        Expr, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition, expr::WindowFunctionParams,
    },
};

use super::mend::Mend;
use crate::functions::{
    Bounds, bounded_in_window, bounded_window_function, is_bounded_in_window, is_bounded_window_function,
};

/// See the module. Runs once types are known.
#[derive(Debug)]
pub(super) struct BoundedWindows {
    bounds: Arc<Bounds>,
}

impl BoundedWindows {
    pub(super) fn new(bounds: &Arc<Bounds>) -> Self {
        Self { bounds: Arc::clone(bounds) }
    }

    fn bounded(
        &self,
        function: &WindowFunctionDefinition,
        params: &WindowFunctionParams,
    ) -> WindowFunctionDefinition {
        match function {
            WindowFunctionDefinition::AggregateUDF(aggregate) => {
                let bounded = bounded_in_window(aggregate, is_constant(params), &self.bounds);
                WindowFunctionDefinition::AggregateUDF(Arc::new(bounded))
            }
            WindowFunctionDefinition::WindowUDF(function) => {
                WindowFunctionDefinition::WindowUDF(Arc::new(bounded_window_function(function, &self.bounds)))
            }
        }
    }
}

impl Mend for BoundedWindows {
    fn concerns(&self, part: &Expr) -> bool {
        matches!(part, Expr::WindowFunction(call) if !is_bounded(&call.fun))
    }

    fn mend(&self, expression: Expr, _schema: &DFSchema) -> Result<Transformed<Expr>> {
        expression.transform_up(|part| match part {
            Expr::WindowFunction(mut call) if !is_bounded(&call.fun) => {
                call.fun = self.bounded(&call.fun, &call.params);
                Ok(Transformed::yes(Expr::WindowFunction(call)))
            }
            other => Ok(Transformed::no(other)),
        })
    }
}

fn is_bounded(function: &WindowFunctionDefinition) -> bool {
    match function {
        WindowFunctionDefinition::AggregateUDF(aggregate) => is_bounded_in_window(aggregate),
        WindowFunctionDefinition::WindowUDF(function) => is_bounded_window_function(function),
    }
}

/// Whether every row of a partition has the whole partition for its frame; DataFusion answers all of them at once.
fn is_constant(params: &WindowFunctionParams) -> bool {
    let frame = &params.window_frame;
    let reaches_all = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::CurrentRow => frame.units == WindowFrameUnits::Range && params.order_by.is_empty(),
        bound => bound.is_unbounded(),
    };
    reaches_all(&frame.start_bound) && reaches_all(&frame.end_bound)
}
