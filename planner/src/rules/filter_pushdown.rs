//! DataFusion's `FilterPushdown`, early and late, held back where it is wrong.
//!
//! - It takes a column of a projection for the first of that name. Both sides of a join may have one, and a filter would be asked of the
//!   other side's.
//! - Its late form gives joins filters for their other side. All partitions of a join that collects its left side wait until each has said
//!   that it has that; one whose parent needs no rows from it is never asked, says nothing, and the others wait for ever
//!   (apache/datafusion#21625, mended in #21666 for partitioned joins alone).

use std::{collections::HashSet, sync::Arc};

use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    config::ConfigOptions,
    error::Result,
    physical_optimizer::{PhysicalOptimizerRule, filter_pushdown::FilterPushdown},
    physical_plan::{
        ExecutionPlan,
        joins::{HashJoinExec, PartitionMode},
        projection::ProjectionExec,
    },
};

/// The names of the rules that these take the place of.
pub(super) const EARLY: &str = "FilterPushdown";
pub(super) const LATE: &str = "FilterPushdown(Post)";

/// Pushes filters that are written.
#[derive(Debug)]
pub(super) struct EarlyFilters;

/// Pushes filters that operators make while they run.
#[derive(Debug)]
pub(super) struct LateFilters;

impl PhysicalOptimizerRule for EarlyFilters {
    fn name(&self) -> &'static str {
        EARLY
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if has_equal_names(&plan)? { Ok(plan) } else { FilterPushdown::new().optimize(plan, config) }
    }

    fn schema_check(&self) -> bool {
        true
    }
}

impl PhysicalOptimizerRule for LateFilters {
    fn name(&self) -> &'static str {
        LATE
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let pushdown = FilterPushdown::new_post_optimization();
        if has_equal_names(&plan)? {
            return Ok(plan);
        }
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

/// Whether columns of a projection have one name.
fn has_equal_names(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    let mut found = false;
    plan.apply(|node| {
        if node.is::<ProjectionExec>() {
            let (schema, mut names) = (node.schema(), HashSet::new());
            found |= !schema.fields().iter().all(|field| names.insert(field.name()));
        }
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// Whether a join that collects its left side lies below another, which `is_below` says of the node itself.
fn collects_below(node: &Arc<dyn ExecutionPlan>, is_below: bool) -> bool {
    let collects = node
        .downcast_ref::<HashJoinExec>()
        .is_some_and(|join| *join.partition_mode() == PartitionMode::CollectLeft);
    let is_below_here = is_below || node.name().ends_with("JoinExec");
    (collects && is_below) || node.children().into_iter().any(|child| collects_below(child, is_below_here))
}
