//! `HoldAboveJoins`: a filter that can fail stays above the joins, IN and EXISTS that leave its rows out, as in
//! `device_id IN (SELECT …) AND (metadata->>'level')::int > 2`. DataFusion pushes it below them, to rows that nobody asked for. What of it can be
//! said without failing is pushed all the same: the same comparison with casts that give null, unless it is false.

use std::sync::Arc;

use datafusion::{
    common::tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    error::Result,
    logical_expr::{
        Cast, Expr, Filter, Join, JoinType, LogicalPlan, Operator, TryCast,
        utils::{conjunction, split_conjunction_owned},
    },
    optimizer::{OptimizerConfig, OptimizerRule, optimizer::ApplyOrder},
};

use super::held::Held;
use crate::guard::logical_can_fail;

/// Runs before filters are pushed down and subqueries become joins.
#[derive(Debug)]
pub(super) struct HoldAboveJoins;

impl OptimizerRule for HoldAboveJoins {
    fn name(&self) -> &'static str {
        "hold_above_joins"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Filter(filter) => hold(filter),
            LogicalPlan::Join(join) if join.join_type == JoinType::Inner && join.filter.is_some() => {
                hold_condition(join)
            }
            plan => Ok(Transformed::no(plan)),
        }
    }
}

fn hold(filter: Filter) -> Result<Transformed<LogicalPlan>> {
    let asks_subquery = has_subquery(&filter.predicate)?;
    let schema = filter.input.schema();
    if filter.predicate.contains_outer()
        || filter.input.contains_outer_reference()
        || !(asks_subquery || leaves_rows_out(&filter.input)?)
        || !logical_can_fail(&filter.predicate, schema)?
    {
        return Ok(Transformed::no(LogicalPlan::Filter(filter)));
    }
    let (mut held, mut below) = (vec![], vec![]);
    for conjunct in split_conjunction_owned(filter.predicate) {
        if is_of_one_table(&conjunct) && logical_can_fail(&conjunct, schema)? && !has_subquery(&conjunct)? {
            below.extend(cannot_fail(&conjunct)?);
            held.push(conjunct);
        } else {
            below.push(conjunct);
        }
    }
    let input = match conjunction(below) {
        Some(predicate) => LogicalPlan::Filter(Filter::try_new(predicate, filter.input)?),
        None => Arc::unwrap_or_clone(filter.input),
    };
    above(held, input)
}

/// A condition of an inner join is a filter above it.
fn hold_condition(mut join: Join) -> Result<Transformed<LogicalPlan>> {
    let Some(condition) = join.filter.take() else { return Ok(Transformed::no(LogicalPlan::Join(join))) };
    let schema = Arc::clone(&join.schema);
    if condition.contains_outer() || has_subquery(&condition)? || !logical_can_fail(&condition, &schema)? {
        join.filter = Some(condition);
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    }
    let (mut held, mut below) = (vec![], vec![]);
    for conjunct in split_conjunction_owned(condition) {
        if is_of_one_table(&conjunct) && logical_can_fail(&conjunct, &schema)? {
            below.extend(cannot_fail(&conjunct)?);
            held.push(conjunct);
        } else {
            below.push(conjunct);
        }
    }
    join.filter = conjunction(below);
    above(held, LogicalPlan::Join(join))
}

fn above(held: Vec<Expr>, input: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    Ok(match conjunction(held) {
        Some(predicate) => {
            Transformed::yes(LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(Held::over(input)))?))
        }
        None => Transformed::yes(input),
    })
}

/// What compares two tables is what they are joined by: it cannot be pushed below their join, and must not be kept from being it.
fn is_of_one_table(conjunct: &Expr) -> bool {
    let columns = conjunct.column_refs();
    let mut relations = columns.iter().map(|column| &column.relation);
    let first = relations.next();
    relations.all(|relation| Some(relation) == first)
}

/// Whether a filter could be pushed below a join from here.
fn leaves_rows_out(plan: &LogicalPlan) -> Result<bool> {
    Ok(match plan {
        LogicalPlan::Join(_) => true,
        LogicalPlan::Filter(filter) => has_subquery(&filter.predicate)? || leaves_rows_out(&filter.input)?,
        LogicalPlan::Projection(projection) => leaves_rows_out(&projection.input)?,
        LogicalPlan::SubqueryAlias(alias) => leaves_rows_out(&alias.input)?,
        LogicalPlan::Sort(sort) => leaves_rows_out(&sort.input)?,
        _ => false,
    })
}

pub(super) fn has_subquery(expression: &Expr) -> Result<bool> {
    expression.exists(|part| {
        Ok(matches!(
            part,
            Expr::InSubquery(_) | Expr::Exists(_) | Expr::ScalarSubquery(_) | Expr::SetComparison(_)
        ))
    })
}

/// What of a comparison holds for every row that it lets through, and for those for which it fails. Only of what is null as soon
/// as a part of it is: anything else could be false with a null where it fails with the value.
pub(super) fn cannot_fail(conjunct: &Expr) -> Result<Option<Expr>> {
    let mut null_in_null_out = true;
    conjunct.apply(|part| {
        null_in_null_out &= match part {
            Expr::Column(_) | Expr::Literal(..) | Expr::Cast(_) | Expr::TryCast(_) | Expr::Between(_) => true,
            Expr::Alias(_) | Expr::Not(_) | Expr::Negative(_) => true,
            Expr::ScalarFunction(call) => call.name().starts_with("json_"),
            Expr::BinaryExpr(binary) => is_strict(binary.op),
            _ => false,
        };
        Ok(if null_in_null_out { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    if !null_in_null_out {
        return Ok(None);
    }
    let tried = conjunct.clone().transform_up(|part| {
        Ok(match part {
            Expr::Cast(Cast { expr, field }) => Transformed::yes(Expr::TryCast(TryCast { expr, field })),
            other => Transformed::no(other),
        })
    })?;
    Ok(Some(tried.data.is_not_false()))
}

fn is_strict(operator: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq, Minus, Multiply, NotEq, Plus};
    matches!(operator, Eq | NotEq | Lt | LtEq | Gt | GtEq | Plus | Minus | Multiply)
}
