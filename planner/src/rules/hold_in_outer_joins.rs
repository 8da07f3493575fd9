//! `HoldInOuterJoins`: in `a LEFT JOIN b ON a.id = b.id AND a.type = 'pump' AND (b.metadata->>'level')::int > 2` the last condition is for
//! the rows of `b` that the others let through. DataFusion pushes it below the join, to all rows of `b`. Here it names a column of the
//! other side as well, so that it stays; what of it can be said without failing is pushed all the same, as in `HoldAboveJoins`.

use datafusion::{
    common::{Column, DFSchema, tree_node::Transformed},
    error::Result,
    logical_expr::{
        Expr, Join, JoinType, LogicalPlan,
        utils::{conjunction, split_conjunction_owned},
    },
    optimizer::{OptimizerConfig, OptimizerRule, optimizer::ApplyOrder},
};

use super::hold_above_joins::{cannot_fail, has_subquery};
use crate::{functions::beside, guard::logical_can_fail};

/// Runs before filters are pushed down.
#[derive(Debug)]
pub(super) struct HoldInOuterJoins;

impl OptimizerRule for HoldInOuterJoins {
    fn name(&self) -> &'static str {
        "hold_in_outer_joins"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Join(join) => hold(join),
            plan => Ok(Transformed::no(plan)),
        }
    }
}

fn hold(mut join: Join) -> Result<Transformed<LogicalPlan>> {
    let (optional, other) = match join.join_type {
        JoinType::Left => (join.right.schema(), join.left.schema()),
        JoinType::Right => (join.left.schema(), join.right.schema()),
        _ => return Ok(Transformed::no(LogicalPlan::Join(join))),
    };
    let Some((condition, anchor)) = join.filter.as_ref().zip(anchor(&join, other)) else {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    };
    let (mut conditions, mut any) = (vec![], false);
    for conjunct in split_conjunction_owned(condition.clone()) {
        if is_pushed(&conjunct, optional)? {
            any = true;
            conditions.extend(cannot_fail(&conjunct)?);
            conditions.push(beside(conjunct, anchor.clone()));
        } else {
            conditions.push(conjunct);
        }
    }
    join.filter = conjunction(conditions);
    Ok(Transformed::new_transformed(LogicalPlan::Join(join), any))
}

/// A column of the other side that nothing is compared with: of one that equals a column of this side DataFusion would make that.
fn anchor(join: &Join, other: &DFSchema) -> Option<Expr> {
    let keys = join.on.iter().flat_map(|(left, right)| [left, right]);
    let compared: Vec<_> = keys.chain(&join.filter).flat_map(Expr::column_refs).collect();
    other.iter().map(Column::from).find(|column| !compared.contains(&column)).map(Expr::Column)
}

/// Whether a condition can fail and would be pushed to the side that may have no row.
fn is_pushed(conjunct: &Expr, optional: &DFSchema) -> Result<bool> {
    let columns = conjunct.column_refs();
    Ok(!columns.is_empty()
        && columns.iter().all(|column| optional.has_column(column))
        && !conjunct.contains_outer()
        && !has_subquery(conjunct)?
        && logical_can_fail(conjunct, optional)?)
}
