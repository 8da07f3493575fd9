//! What the shape of a subquery tells: whether it has rows, which outer columns it names, and whether DataFusion joins it well.

use datafusion::{
    common::{
        Column,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    error::Result,
    logical_expr::{
        Aggregate, BinaryExpr, Distinct, Expr, FetchType, LogicalPlan, Operator, SkipType,
        utils::split_conjunction,
    },
};

/// What EXISTS asks of a subquery.
#[derive(Debug)]
pub(super) enum Existence {
    /// It has a row whatever the tables hold: an aggregate without GROUP BY.
    Always,
    /// It has none: LIMIT 0.
    Never,
    /// It has a row if this plan has one.
    Of(LogicalPlan),
}

impl Existence {
    /// Takes off what makes no difference between a row and none.
    pub(super) fn of(plan: LogicalPlan) -> Self {
        let input = match &plan {
            LogicalPlan::Projection(node) => &node.input,
            LogicalPlan::SubqueryAlias(node) => &node.input,
            LogicalPlan::Window(node) => &node.input,
            LogicalPlan::Distinct(Distinct::All(input)) => input,
            LogicalPlan::Sort(node) if node.fetch.is_none() => &node.input,
            LogicalPlan::Aggregate(node) if node.group_expr.is_empty() => return Self::Always,
            LogicalPlan::Aggregate(node) if !has_grouping_sets(node) => &node.input,
            LogicalPlan::Limit(node) => match (node.get_skip_type(), node.get_fetch_type()) {
                (_, Ok(FetchType::Literal(Some(0)))) => return Self::Never,
                (Ok(SkipType::Literal(0)), Ok(FetchType::Literal(_))) => &node.input,
                _ => return Self::Of(plan),
            },
            _ => return Self::Of(plan),
        };
        Self::of(input.as_ref().clone())
    }
}

pub(super) fn has_grouping_sets(aggregate: &Aggregate) -> bool {
    aggregate.group_expr.iter().any(|key| matches!(key, Expr::GroupingSet(_)))
}

/// The outer columns that a plan names, without what its own subqueries name.
pub(super) fn outer_columns(plan: &LogicalPlan) -> Result<Vec<Column>> {
    let mut columns = Vec::new();
    plan.apply(|node| {
        node.apply_expressions(|expression| {
            collect_outer(expression, &mut columns)?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(columns)
}

fn collect_outer(expression: &Expr, columns: &mut Vec<Column>) -> Result<()> {
    expression.apply(|part| {
        if let Expr::OuterReferenceColumn(_, column) = part
            && !columns.contains(column)
        {
            columns.push(column.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

pub(super) fn names_outer(expression: &Expr) -> bool {
    let mut columns = Vec::new();
    collect_outer(expression, &mut columns).is_ok() && !columns.is_empty()
}

/// Whether outer columns are named in nothing but one filter on top of the plan: DataFusion joins that as it should, unless they have
/// the names of columns below the filter: then it takes the one for the other.
pub(super) fn is_filtered_only(plan: &LogicalPlan) -> Result<bool> {
    let LogicalPlan::Filter(filter) = plan else { return Ok(outer_columns(plan)?.is_empty()) };
    if super::holds_subquery(plan)? {
        return Ok(false);
    }
    let is_below = |column: &Column| filter.input.schema().is_column_from_schema(column);
    Ok(!outer_columns(plan)?.iter().any(is_below) && outer_columns(&filter.input)?.is_empty())
}

/// Whether a plan is one plain aggregate over filters that compare columns of its own with outer ones: DataFusion groups it by those
/// columns, which rollups can answer.
pub(super) fn is_grouped_well(plan: &LogicalPlan) -> Result<bool> {
    let LogicalPlan::Projection(projection) = plan else { return Ok(false) };
    let LogicalPlan::Aggregate(aggregate) = projection.input.as_ref() else { return Ok(false) };
    let [value] = projection.expr.as_slice() else { return Ok(false) };
    let is_plain = matches!(value.clone().unalias(), Expr::Column(_));
    if !is_plain || !aggregate.group_expr.is_empty() || aggregate.aggr_expr.len() != 1 {
        return Ok(false);
    }
    if aggregate.aggr_expr.iter().any(names_outer) {
        return Ok(false);
    }
    is_filtered_by_equality(&aggregate.input)
}

fn is_filtered_by_equality(plan: &LogicalPlan) -> Result<bool> {
    let LogicalPlan::Filter(filter) = plan else { return Ok(outer_columns(plan)?.is_empty()) };
    let fits = |part: &Expr| !names_outer(part) || is_column_equality(part);
    Ok(is_filtered_only(plan)? && split_conjunction(&filter.predicate).into_iter().all(fits))
}

/// `column = outer column`, either way round.
fn is_column_equality(expression: &Expr) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = expression else { return false };
    matches!(
        (left.as_ref(), right.as_ref()),
        (Expr::Column(_), Expr::OuterReferenceColumn(..)) | (Expr::OuterReferenceColumn(..), Expr::Column(_))
    )
}
