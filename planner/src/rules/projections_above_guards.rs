//! `ProjectionsAboveGuards`: DataFusion's `ProjectionPushdown`, but not where it is wrong.
//!
//! - It computes the casts of a nested loop join's condition below the join, for rows that its other parts leave out.
//! - It takes the columns of a filter's condition for those that the filter gives, which are others where it leaves some out: so it does
//!   not run a second time, over the filters that it has made so.

use std::sync::Arc;

use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    config::ConfigOptions,
    error::Result,
    physical_optimizer::{PhysicalOptimizerRule, projection_pushdown::ProjectionPushdown},
    physical_plan::{ExecutionPlan, filter::FilterExec, joins::NestedLoopJoinExec},
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
            let join = node.downcast_ref::<NestedLoopJoinExec>().and_then(NestedLoopJoinExec::filter);
            found |= join.is_some_and(|filter| can_fail(filter.expression(), filter.schema()));
            found |= node.downcast_ref::<FilterExec>().is_some_and(|filter| filter.projection().is_some());
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        if found { Ok(plan) } else { ProjectionPushdown::new().optimize(plan, config) }
    }

    fn schema_check(&self) -> bool {
        true
    }
}
