//! `ProjectionsAboveGuards`: DataFusion's `ProjectionPushdown`, but not for a plan with a nested loop join whose condition can fail: it
//! computes the casts of such a condition below the join, for rows that its other parts leave out.

use std::sync::Arc;

use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    config::ConfigOptions,
    error::Result,
    physical_optimizer::{PhysicalOptimizerRule, projection_pushdown::ProjectionPushdown},
    physical_plan::{ExecutionPlan, joins::NestedLoopJoinExec},
};

use crate::guard::can_fail;

/// The name of the rule that it takes the place of.
pub(super) const PROJECTION_PUSHDOWN: &str = "ProjectionPushdown";

/// See the module.
#[derive(Debug)]
pub(super) struct ProjectionsAboveGuards;

impl PhysicalOptimizerRule for ProjectionsAboveGuards {
    fn name(&self) -> &'static str {
        PROJECTION_PUSHDOWN
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut found = false;
        plan.apply(|node| {
            let join = node.downcast_ref::<NestedLoopJoinExec>();
            found |= join
                .and_then(NestedLoopJoinExec::filter)
                .is_some_and(|filter| can_fail(filter.expression(), filter.schema()));
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        if found { Ok(plan) } else { ProjectionPushdown::new().optimize(plan, config) }
    }

    fn schema_check(&self) -> bool {
        true
    }
}
