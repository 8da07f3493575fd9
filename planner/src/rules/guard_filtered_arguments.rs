//! `GuardFilteredArguments`: `sum((metadata->>'level')::int) FILTER (WHERE type = 'pump')` casts the metadata of pumps alone, also with
//! `OVER`. DataFusion computes an aggregate's arguments for all rows and looks at FILTER afterwards; here an argument that can
//! fail is put under the condition, as `CASE WHEN type = 'pump' THEN … END`.

use datafusion::common::tree_node::TreeNode;
use datafusion::{
    common::{DFSchema, tree_node::Transformed},
    error::Result,
    logical_expr::{Expr, LogicalPlan, when},
    optimizer::{OptimizerConfig, OptimizerRule, optimizer::ApplyOrder, utils::NamePreserver},
};

use crate::guard::logical_can_fail;

/// See the module. A call that it has rewritten can still fail, so it leaves alone what is a CASE already.
#[derive(Debug)]
pub(super) struct GuardFilteredArguments;

impl OptimizerRule for GuardFilteredArguments {
    fn name(&self) -> &'static str {
        "guard_filtered_arguments"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let (input, calls) = match &plan {
            LogicalPlan::Aggregate(aggregate) => (&aggregate.input, &aggregate.aggr_expr),
            LogicalPlan::Window(window) => (&window.input, &window.window_expr),
            _ => return Ok(Transformed::no(plan)),
        };
        let schema = std::sync::Arc::clone(input.schema());
        let mut any = false;
        for expression in calls {
            any |= expression.exists(|part| is_unguarded(part, &schema))?;
        }
        if !any {
            return Ok(Transformed::no(plan));
        }
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expression| {
            let name = names.save(&expression);
            let guarded = expression.transform_up(|part| guarded(part, &schema))?;
            Ok(guarded.update_data(|expression| name.restore(expression)))
        })
    }
}

fn is_unguarded(expression: &Expr, schema: &DFSchema) -> Result<bool> {
    let (arguments, order, filter) = match expression {
        Expr::AggregateFunction(call) => {
            (&call.params.args, call.params.order_by.as_slice(), &call.params.filter)
        }
        // The order of a window is that of all its rows.
        Expr::WindowFunction(call) => (&call.params.args, [].as_slice(), &call.params.filter),
        _ => return Ok(false),
    };
    if filter.is_none() {
        return Ok(false);
    }
    for argument in arguments.iter().chain(order.iter().map(|key| &key.expr)) {
        if needs_guard(argument, schema)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn needs_guard(argument: &Expr, schema: &DFSchema) -> Result<bool> {
    Ok(!matches!(argument, Expr::Case(_)) && logical_can_fail(argument, schema)?)
}

fn guarded(mut expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    if !is_unguarded(&expression, schema)? {
        return Ok(Transformed::no(expression));
    }
    let (arguments, order, filter) = match &mut expression {
        Expr::AggregateFunction(call) => {
            (&mut call.params.args, call.params.order_by.as_mut_slice(), &call.params.filter)
        }
        Expr::WindowFunction(call) => (&mut call.params.args, [].as_mut_slice(), &call.params.filter),
        _ => return Ok(Transformed::no(expression)),
    };
    if let Some(filter) = filter {
        for argument in arguments.iter_mut().chain(order.iter_mut().map(|key| &mut key.expr)) {
            if needs_guard(argument, schema)? {
                *argument = when(filter.as_ref().clone(), argument.clone()).end()?;
            }
        }
    }
    Ok(Transformed::yes(expression))
}
