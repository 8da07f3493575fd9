//! `TurnsInJoins`: a join gives its thread back between two batches, and asks whether its query goes on before it looks at the next pairs of
//! rows: whether any of them passes or none does. Otherwise such a query could not be cancelled, and would hold a query thread for hours
//! after its client had gone.

use std::sync::Arc;

use datafusion::{
    common::tree_node::{Transformed, TreeNode},
    config::ConfigOptions,
    error::Result,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan,
        joins::{
            HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, SortMergeJoinExec, utils::JoinFilter,
        },
    },
};

use crate::turn::{Checked, Turns};

/// Wraps each node that can give more rows than it is given. Runs last: other rules look for the joins themselves.
#[derive(Debug)]
pub(super) struct TurnsInJoins;

impl PhysicalOptimizerRule for TurnsInJoins {
    fn name(&self) -> &'static str {
        "TurnsInJoins"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wrapped = plan.transform_up(|node| {
            if !multiplies(node.name()) {
                return Ok(Transformed::no(node));
            }
            let node = checked(&node)?.unwrap_or(node);
            Ok(Transformed::yes(Turns::above(node)))
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

/// The join whose filter asks; `None` for a node without one.
fn checked(node: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        let Some(filter) = join.filter().map(checked_filter) else { return Ok(None) };
        return join.builder().with_filter(Some(filter)).build_exec().map(Some);
    }
    if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
        let Some(filter) = join.filter().map(checked_filter) else { return Ok(None) };
        let join = NestedLoopJoinExecBuilder::from(join).with_filter(Some(filter)).build()?;
        return Ok(Some(Arc::new(join)));
    }
    if let Some(join) = node.downcast_ref::<SortMergeJoinExec>() {
        let Some(filter) = join.filter().as_ref().map(checked_filter) else { return Ok(None) };
        let join = SortMergeJoinExec::try_new(
            Arc::clone(join.left()),
            Arc::clone(join.right()),
            join.on().to_vec(),
            Some(filter),
            join.join_type(),
            join.sort_options().to_vec(),
            join.null_equality(),
        )?;
        return Ok(Some(Arc::new(join)));
    }
    Ok(None)
}

fn checked_filter(filter: &JoinFilter) -> JoinFilter {
    let expression = Arc::new(Checked::new(Arc::clone(filter.expression())));
    JoinFilter::new(expression, filter.column_indices().to_vec(), Arc::clone(filter.schema()))
}
