//! `ConstantJoinKeys`: a key of a join that turned out to be constant is a condition of the join. DataFusion's `eliminate_cross_join` knows
//! no place for a key one side of which has no column, and leaves it out: `ON (b.type = 'x') = (a.value IN (NULL))` let every pair through.

use datafusion::{
    common::{NullEquality, tree_node::Transformed},
    error::Result,
    logical_expr::{Expr, Join, JoinType, LogicalPlan, Operator, binary_expr, utils::conjunction},
    optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule},
};

/// The name of the rule that it runs before.
pub(super) const BEFORE: &str = "eliminate_cross_join";

/// See the module.
#[derive(Debug)]
pub(super) struct ConstantJoinKeys;

impl OptimizerRule for ConstantJoinKeys {
    fn name(&self) -> &'static str {
        "constant_join_keys"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Join(join)
                if join.join_type == JoinType::Inner && join.on.iter().any(is_constant) =>
            {
                Ok(Transformed::yes(LogicalPlan::Join(with_conditions(join)?)))
            }
            other => Ok(Transformed::no(other)),
        }
    }
}

fn is_constant((left, right): &(Expr, Expr)) -> bool {
    !left.any_column_refs() || !right.any_column_refs()
}

fn with_conditions(join: Join) -> Result<Join> {
    let operator = match join.null_equality {
        NullEquality::NullEqualsNothing => Operator::Eq,
        NullEquality::NullEqualsNull => Operator::IsNotDistinctFrom,
    };
    let (constant, on): (Vec<_>, Vec<_>) = join.on.into_iter().partition(is_constant);
    let constant = constant.into_iter().map(|(left, right)| binary_expr(left, operator, right));
    let filter = conjunction(join.filter.into_iter().chain(constant));
    let (left, right) = (join.left, join.right);
    let (kind, constraint, nulls) = (join.join_type, join.join_constraint, join.null_equality);
    Join::try_new(left, right, on, filter, kind, constraint, nulls, join.null_aware)
}
