//! `NestedLoops`: a nested loop join that spills has each row once. When its left input is too large it is run a second time, from the start,
//! and then written to disk: a plan that hands out what it reads once per run would lose rows. Each partition of the right input then looks for
//! left rows without a partner by itself, which would give them several times: there is one such partition.
//!
//! **Source**: `NestedLoopJoinStream::initiate_fallback` and the comment on `full_join_multi_partition` in DataFusion 55.2.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use datafusion::{
    common::{
        JoinType, assert_or_internal_err,
        tree_node::{Transformed, TreeNode},
    },
    config::ConfigOptions,
    error::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan, ExecutionPlanProperties,
        coalesce_partitions::CoalescePartitionsExec,
        execution_plan::{replace_children_if_necessary, reset_plan_states},
        joins::NestedLoopJoinExec,
    },
};

use crate::through::{Through, ThroughExec};

/// See the module. Runs after all rules that place exchanges.
#[derive(Debug)]
pub(super) struct NestedLoops;

impl PhysicalOptimizerRule for NestedLoops {
    fn name(&self) -> &'static str {
        "NestedLoops"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mended = plan.transform_up(|node| {
            let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() else {
                return Ok(Transformed::no(node));
            };
            let left = Arc::new(ThroughExec::new(Arc::clone(join.left()), Again::default()));
            let mut right = Arc::clone(join.right());
            if keeps_left_rows(*join.join_type()) && right.output_partitioning().partition_count() > 1 {
                right = Arc::new(CoalescePartitionsExec::new(right));
            }
            replace_children_if_necessary(node, vec![left, right]).map(Transformed::yes)
        });
        mended.map(|transformed| transformed.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether what becomes of a left row is known only when all right rows were seen. A full join of several partitions does not spill.
fn keeps_left_rows(join_type: JoinType) -> bool {
    matches!(join_type, JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark)
}

/// An input that may be run again: from the second run on it starts anew.
#[derive(Debug, Default)]
struct Again {
    has_run: AtomicBool,
}

impl Through for Again {
    const NAME: &'static str = "AgainExec";

    fn anew(&self) -> Self {
        Self::default()
    }

    fn execute(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let partitions = input.output_partitioning().partition_count();
        assert_or_internal_err!(
            partitions == 1,
            "the left input of a nested loop join has one partition, not {partitions}"
        );
        if self.has_run.swap(true, Ordering::Relaxed) {
            return reset_plan_states(Arc::clone(input))?.execute(partition, context);
        }
        input.execute(partition, context)
    }
}
