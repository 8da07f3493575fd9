//! `TurnsInCalls`: a node that calls a function that can take long does so in turns of its query, so that the function notices between two
//! pieces of its work that the query has ended.

use std::sync::Arc;

use datafusion::{
    common::tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    config::ConfigOptions,
    error::Result,
    physical_expr::{PhysicalExpr, ScalarFunctionExpr},
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::ExecutionPlan,
};

use crate::{functions::is_bounded, turn::TurnExec};

/// Wraps each node that calls such a function. Runs last: other rules look for the nodes themselves.
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
            if !calls(&node)? {
                return Ok(Transformed::no(node));
            }
            Ok(Transformed::yes(Arc::new(TurnExec::new(node)) as _))
        });
        wrapped.map(|transformed| transformed.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
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
