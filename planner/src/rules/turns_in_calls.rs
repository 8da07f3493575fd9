//! `TurnsInCalls`: a node that calls functions that can take long does so in turns of its query, so that they notice between two pieces of
//! their work that the query has ended. Those are bounded functions; those of windows, which answer a partition of a million rows in one poll;
//! and aggregates that collect their rows.

use std::sync::Arc;

use datafusion::{
    common::tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    config::ConfigOptions,
    error::Result,
    physical_expr::{PhysicalExpr, ScalarFunctionExpr},
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{ExecutionPlan, aggregates::AggregateExec},
};

use crate::{
    functions::{is_bounded, is_collecting},
    turn::Turns,
};

/// Wraps each such node. Runs last: other rules look for the nodes themselves.
#[derive(Debug)]
pub(super) struct TurnsInCalls;

impl PhysicalOptimizerRule for TurnsInCalls {
    fn name(&self) -> &'static str {
        "TurnsInCalls"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wrapped = plan.transform_up(|node| {
            if !node.name().ends_with("WindowAggExec") && !collects(&node) && !calls(&node)? {
                return Ok(Transformed::no(node));
            }
            Ok(Transformed::yes(Turns::above(node)))
        });
        wrapped.map(|transformed| transformed.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn collects(node: &Arc<dyn ExecutionPlan>) -> bool {
    let Some(aggregate) = node.downcast_ref::<AggregateExec>() else { return false };
    aggregate.aggr_expr().iter().any(|aggregate| is_collecting(aggregate.fun().name()))
}

fn calls(node: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    let mut found = false;
    node.apply_expressions(&mut |expression: &Arc<dyn PhysicalExpr>| {
        expression.apply(|part| {
            found |= part.downcast_ref::<ScalarFunctionExpr>().is_some_and(|call| is_bounded(call.fun()));
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })
    })?;
    Ok(found)
}
