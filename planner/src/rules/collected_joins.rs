//! `CollectedJoins`: DataFusion's late `FilterPushdown`, but joins pass no filters to their other side where a join that collects its left
//! side lies below another join. All partitions of such a join wait until each has said that it has the left side; one whose parent needs
//! no rows from it is never asked, says nothing, and the others wait for ever (apache/datafusion#21625, mended in #21666 for partitioned
//! joins alone).

use std::sync::Arc;

use datafusion::{
    config::ConfigOptions,
    error::Result,
    physical_optimizer::{PhysicalOptimizerRule, filter_pushdown::FilterPushdown},
    physical_plan::{
        ExecutionPlan,
        joins::{HashJoinExec, PartitionMode},
    },
};

/// The name of the rule that it takes the place of.
pub(super) const LATE_FILTER_PUSHDOWN: &str = "FilterPushdown(Post)";

/// See the module.
#[derive(Debug)]
pub(super) struct CollectedJoins;

impl PhysicalOptimizerRule for CollectedJoins {
    fn name(&self) -> &'static str {
        LATE_FILTER_PUSHDOWN
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let pushdown = FilterPushdown::new_post_optimization();
        if !collects_below(&plan, false) {
            return pushdown.optimize(plan, config);
        }
        let mut config = config.clone();
        config.optimizer.enable_join_dynamic_filter_pushdown = false;
        pushdown.optimize(plan, &config)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether a join that collects its left side lies below another, which `is_below` says of the node itself.
fn collects_below(node: &Arc<dyn ExecutionPlan>, is_below: bool) -> bool {
    let collects = node
        .downcast_ref::<HashJoinExec>()
        .is_some_and(|join| *join.partition_mode() == PartitionMode::CollectLeft);
    let is_below_here = is_below || node.name().ends_with("JoinExec");
    (collects && is_below) || node.children().into_iter().any(|child| collects_below(child, is_below_here))
}
