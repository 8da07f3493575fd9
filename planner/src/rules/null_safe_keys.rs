//! `NullSafeKeys`: DataFusion's `extract_equijoin_predicate`, but not for a join whose keys find NULL with NULL. It makes a key of `a = b` in
//! the join's condition; among such keys `a = b` would be true where both are NULL.

use datafusion::{
    common::{NullEquality, tree_node::Transformed},
    error::Result,
    logical_expr::LogicalPlan,
    optimizer::{
        ApplyOrder, OptimizerConfig, OptimizerRule, extract_equijoin_predicate::ExtractEquijoinPredicate,
    },
};

/// The name of the rule that it takes the place of.
pub(super) const EXTRACT: &str = "extract_equijoin_predicate";

/// See the module.
#[derive(Debug)]
pub(super) struct NullSafeKeys;

impl OptimizerRule for NullSafeKeys {
    fn name(&self) -> &'static str {
        EXTRACT
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        ExtractEquijoinPredicate::new().apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match &plan {
            LogicalPlan::Join(join) if join.null_equality == NullEquality::NullEqualsNull => {
                Ok(Transformed::no(plan))
            }
            _ => ExtractEquijoinPredicate::new().rewrite(plan, config),
        }
    }
}
