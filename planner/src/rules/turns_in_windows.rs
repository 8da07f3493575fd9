//! `TurnsInWindows`: windows, and aggregates that collect their rows, work in turns of their query. Their functions ask between two rows, and
//! between two batches, whether it has ended: a partition of a million rows is otherwise one poll.

use std::sync::Arc;

use datafusion::{
    common::tree_node::{Transformed, TreeNode},
    config::ConfigOptions,
    error::Result,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{ExecutionPlan, aggregates::AggregateExec},
};

use crate::{functions::is_collecting, turn::TurnExec};

/// Wraps each such node. Runs last: other rules look for the nodes themselves.
#[derive(Debug)]
pub(super) struct TurnsInWindows;

impl PhysicalOptimizerRule for TurnsInWindows {
    fn name(&self) -> &'static str {
        "TurnsInWindows"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wrapped = plan.transform_up(|node| {
            if !node.name().ends_with("WindowAggExec") && !collects(&node) {
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

fn collects(node: &Arc<dyn ExecutionPlan>) -> bool {
    let Some(aggregate) = node.downcast_ref::<AggregateExec>() else { return false };
    aggregate.aggr_expr().iter().any(|aggregate| is_collecting(aggregate.fun().name()))
}
