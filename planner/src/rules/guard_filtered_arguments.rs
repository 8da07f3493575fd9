//! `GuardFilteredArguments`: `sum((metadata->>'level')::int) FILTER (WHERE type = 'pump')` casts the metadata of pumps alone. DataFusion
//! computes an aggregate's arguments for all rows and looks at FILTER afterwards; here an argument that can fail is put
//! under the condition, as `CASE WHEN type = 'pump' THEN … END`.

use datafusion::common::tree_node::TreeNode;
use datafusion::{
    common::{DFSchema, tree_node::Transformed},
    error::Result,
    logical_expr::{Expr, LogicalPlan, expr::AggregateFunction, when},
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
        let LogicalPlan::Aggregate(aggregate) = &plan else { return Ok(Transformed::no(plan)) };
        let schema = std::sync::Arc::clone(aggregate.input.schema());
        let mut any = false;
        for expression in &aggregate.aggr_expr {
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
    let Expr::AggregateFunction(call) = expression else { return Ok(false) };
    if call.params.filter.is_none() {
        return Ok(false);
    }
    let order = call.params.order_by.iter().map(|key| &key.expr);
    for argument in call.params.args.iter().chain(order) {
        if needs_guard(argument, schema)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn needs_guard(argument: &Expr, schema: &DFSchema) -> Result<bool> {
    Ok(!matches!(argument, Expr::Case(_)) && logical_can_fail(argument, schema)?)
}

fn guarded(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    if !is_unguarded(&expression, schema)? {
        return Ok(Transformed::no(expression));
    }
    let Expr::AggregateFunction(AggregateFunction { func, mut params }) = expression else {
        return Ok(Transformed::no(expression));
    };
    if let Some(filter) = &params.filter {
        let order = params.order_by.iter_mut().map(|key| &mut key.expr);
        for argument in params.args.iter_mut().chain(order) {
            if needs_guard(argument, schema)? {
                *argument = when(filter.as_ref().clone(), argument.clone()).end()?;
            }
        }
    }
    Ok(Transformed::yes(Expr::AggregateFunction(AggregateFunction { func, params })))
}
