//! The plan of a query that runs while no other large one does, because it found no memory beside them: with joins that can spill, and in one
//! partition. An exchange between partitions cannot spill, and one before two sorts takes what they need; without partitions there is none.

use std::sync::Arc;

use datafusion::{
    error::Result,
    execution::{SessionStateBuilder, session_state::SessionState},
    logical_expr::LogicalPlan,
    physical_plan::ExecutionPlan,
    physical_planner::DefaultPhysicalPlanner,
};

/// DataFusion plans joins that spill for no less.
const PARTITIONS_OF_JOINS: usize = 2;

/// Plans for one partition.
///
/// # Errors
/// What DataFusion says of the plan.
pub(super) async fn plan_alone(
    plan: &LogicalPlan,
    mut state: SessionState,
) -> Result<Arc<dyn ExecutionPlan>> {
    let options = state.config_mut().options_mut();
    options.optimizer.prefer_hash_join = false;
    options.execution.target_partitions = PARTITIONS_OF_JOINS;
    let without_rules =
        SessionStateBuilder::new_from_existing(state.clone()).with_physical_optimizer_rules(vec![]).build();
    let plan = state.query_planner().create_physical_plan(plan, &without_rules).await?;
    state.config_mut().options_mut().execution.target_partitions = 1;
    DefaultPhysicalPlanner::default().optimize_physical_plan(plan, &state, |_, _| {})
}
