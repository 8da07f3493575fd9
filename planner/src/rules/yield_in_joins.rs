//! `YieldInJoins`: makes joins give their thread back now and then. DataFusion lets leaves do so, which is enough while rows come
//! from them; but a join can make billions of rows of a few that it read long ago, and an aggregate above it would never stop
//! asking: such a query could not be cancelled, and would hold a query thread for hours after its client had gone.

use std::sync::Arc;

use datafusion::{
    common::tree_node::{Transformed, TreeNode},
    config::ConfigOptions,
    error::Result,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{ExecutionPlan, coop::CooperativeExec},
};

/// Wraps each node that can give more rows than it is given. Runs last: other rules look for the joins themselves.
#[derive(Debug)]
pub(super) struct YieldInJoins;

impl PhysicalOptimizerRule for YieldInJoins {
    fn name(&self) -> &'static str {
        "YieldInJoins"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wrapped = plan.transform_up(|node| {
            Ok(if multiplies(node.name()) {
                Transformed::yes(Arc::new(CooperativeExec::new(node)) as _)
            } else {
                Transformed::no(node)
            })
        });
        wrapped.map(|transformed| transformed.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// HashJoinExec, NestedLoopJoinExec, CrossJoinExec and their kin.
fn multiplies(node: &str) -> bool {
    node.ends_with("JoinExec") || node == "UnnestExec"
}
