//! Goes through the nodes of a plan, and puts columns and conditions in the place of their subqueries.

use std::sync::Arc;

use datafusion::{
    common::{
        Column, JoinType, plan_err,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    error::Result,
    logical_expr::{
        Distinct, DistinctOn, Expr, Filter, Join, LogicalPlan, LogicalPlanBuilder, Operator, Projection,
        Subquery, SubqueryAlias, binary_expr,
        expr_rewriter::NamePreserver,
        lit,
        utils::{conjunction, split_conjunction_owned},
    },
};

use super::{
    dependent::Pairing,
    domain::{Names, Outer},
    expressions::{ConditionPlace, maybe_nothing},
    holds_subquery, is_subquery,
    members::Want,
    shape::outer_columns,
};

/// One plan's worth of unnesting.
#[derive(Debug, Default)]
pub(super) struct Unnest {
    pub(super) names: Names,
}

impl Unnest {
    /// # Errors
    /// `Plan` for a subquery that cannot be joined.
    pub(super) fn plan(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        // What was never null may be so now, in all nodes above.
        let mut changed = false;
        let unnested = plan.transform_up(|node| {
            let node = if changed { node.recompute_schema()? } else { node };
            if let LogicalPlan::Join(join) = &node
                && is_lateral(join)?
            {
                changed = true;
                return self.lateral(join).map(Transformed::yes);
            }
            if !holds_subquery(&node)? {
                return Ok(Transformed::new_transformed(node, changed));
            }
            changed = true;
            let unnested = match node {
                LogicalPlan::Filter(filter) => self.filter(filter)?,
                LogicalPlan::Projection(projection) => self.projection(projection)?,
                LogicalPlan::Join(join) => self.join(join)?,
                other => self.below(other)?,
            };
            Ok(Transformed::yes(unnested))
        });
        unnested.map(|unnested| unnested.data)
    }

    fn filter(&self, filter: Filter) -> Result<LogicalPlan> {
        let columns = filter.input.schema().columns();
        let mut outer = Outer::new(filter.input.as_ref().clone());
        let mut conjuncts = Vec::new();
        for conjunct in split_conjunction_owned(filter.predicate) {
            conjuncts.push(self.expression(conjunct, Want::True, ConditionPlace::Conjunct, &mut outer)?);
        }
        let predicate = conjunction(conjuncts).unwrap_or_else(|| lit(true));
        let filtered = LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(outer.plan))?);
        only(filtered, columns)
    }

    fn projection(&self, projection: Projection) -> Result<LogicalPlan> {
        let mut outer = Outer::new(projection.input.as_ref().clone());
        let names = NamePreserver::new_for_projection();
        let mut columns = Vec::with_capacity(projection.expr.len());
        for expression in projection.expr {
            let name = names.save(&expression);
            columns.push(name.restore(self.expression(
                expression,
                Want::Exact,
                ConditionPlace::Inside,
                &mut outer,
            )?));
        }
        Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(outer.plan))?))
    }

    /// An inner join's condition is a filter above it; an outer join's subqueries are columns of the side that they are about.
    fn join(&self, mut join: Join) -> Result<LogicalPlan> {
        let (mine, others): (Vec<_>, Vec<_>) =
            split_conjunction_owned(join.filter.take().unwrap_or_else(|| lit(true)))
                .into_iter()
                .partition(|part| part.exists(|part| Ok(is_subquery(part))).unwrap_or(true));
        if join.join_type == JoinType::Inner {
            join.filter = conjunction(others);
            let predicate = conjunction(mine).unwrap_or_else(|| lit(true));
            return self.filter(Filter::try_new(predicate, Arc::new(LogicalPlan::Join(join)))?);
        }
        let columns = join.schema.columns();
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let mut conditions = others;
        for condition in mine {
            let moved = condition.transform_down(|part| {
                if !is_subquery(&part) {
                    return Ok(Transformed::no(part));
                }
                let name = self.names.fresh("answer");
                let side = self.side_of(&part, &join)?;
                if side { &mut left } else { &mut right }.push(part.alias(&name));
                let column = Expr::Column(Column::new_unqualified(name));
                Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
            })?;
            conditions.push(moved.data);
        }
        join.left = self.with_columns(join.left, left)?;
        join.right = self.with_columns(join.right, right)?;
        let Join { left, right, on, join_type, join_constraint, null_equality, null_aware, .. } = join;
        let filter = conjunction(conditions);
        let join =
            Join::try_new(left, right, on, filter, join_type, join_constraint, null_equality, null_aware)?;
        only(LogicalPlan::Join(join), columns)
    }

    /// Whether a subquery in a join's condition is about its left side (or none), not its right one.
    fn side_of(&self, subquery: &Expr, join: &Join) -> Result<bool> {
        let mut columns: Vec<Column> = subquery.column_refs().into_iter().cloned().collect();
        if let Some(inner) = plan_of(subquery) {
            columns.extend(outer_columns(&self.plan(inner.subquery.as_ref().clone())?)?);
        }
        let all_in =
            |plan: &LogicalPlan| !columns.iter().any(|column| plan.schema().is_column_from_schema(column));
        match (all_in(&join.right), all_in(&join.left)) {
            (true, _) => Ok(true),
            (_, true) => Ok(false),
            _ => plan_err!(
                "a subquery in the condition of a {} JOIN names columns of both sides: write it in WHERE, or as another join",
                join.join_type
            ),
        }
    }

    fn with_columns(&self, plan: Arc<LogicalPlan>, answers: Vec<Expr>) -> Result<Arc<LogicalPlan>> {
        if answers.is_empty() {
            return Ok(plan);
        }
        let columns = plan.schema().columns().into_iter().map(Expr::Column).chain(answers).collect();
        self.projection(Projection::try_new(columns, plan)?).map(Arc::new)
    }

    /// Any other node with one input: its subqueries become columns of that.
    fn below(&self, node: LogicalPlan) -> Result<LogicalPlan> {
        let node = with_named_answers(node)?;
        let columns = node.schema().columns();
        let Some(input) = node.inputs().first().map(|input| (*input).clone()) else { return Ok(node) };
        let names = NamePreserver::new_for_projection();
        let keeps_names = matches!(node, LogicalPlan::Aggregate(_) | LogicalPlan::Window(_));
        let mut answers: Vec<Expr> = Vec::new();
        let mut known: Vec<(Expr, Expr)> = Vec::new();
        let moved = node.map_expressions(|expression| {
            let name = names.save(&expression);
            let moved = expression.transform_down(|part| {
                if !is_subquery(&part) {
                    return Ok(Transformed::no(part));
                }
                if let Expr::ScalarSubquery(subquery) = &part {
                    // What it says of itself leaves out what subqueries inside of it name.
                    let plan = self.plan(subquery.subquery.as_ref().clone())?;
                    if outer_columns(&plan)?.is_empty() {
                        let plan = Arc::new(maybe_nothing(plan)?);
                        let constant = Expr::ScalarSubquery(subquery.with_plan(plan));
                        return Ok(Transformed::new(constant, true, TreeNodeRecursion::Jump));
                    }
                }
                if let Some((_, column)) = known.iter().find(|(subquery, _)| *subquery == part) {
                    return Ok(Transformed::new(column.clone(), true, TreeNodeRecursion::Jump));
                }
                let answer = self.names.fresh("answer");
                let column = Expr::Column(Column::new_unqualified(&answer));
                known.push((part.clone(), column.clone()));
                answers.push(part.alias(answer));
                Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
            })?;
            Ok(if keeps_names && moved.transformed {
                moved.update_data(|moved| name.restore(moved))
            } else {
                moved
            })
        })?;
        if answers.is_empty() {
            // A value that was never null may be so now.
            return moved.data.recompute_schema();
        }
        let input = self.with_columns(Arc::new(input), answers)?;
        only(over(moved.data, input)?, columns)
    }

    /// `outer JOIN LATERAL (subquery) ON condition`.
    fn lateral(&self, join: &Join) -> Result<LogicalPlan> {
        let inner = without_subquery_node(join.right.as_ref().clone())?;
        let columns = outer_columns(&inner)?;
        let mut outer = Outer::new(join.left.as_ref().clone());
        let own = outer.own(&columns);
        if !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
            return plan_err!(
                "LATERAL works with JOIN, LEFT JOIN and CROSS JOIN, not with {} JOIN",
                join.join_type
            );
        }
        let given = join.schema.columns();
        let (rows, keys) = if own.is_empty() {
            (inner, vec![])
        } else {
            let domain = outer.domain(own.clone())?;
            let paired = Pairing { domain: &domain, names: &self.names }.pair(inner)?;
            (paired.plan, paired.keys)
        };
        let same = own.iter().zip(keys).map(|(column, key)| {
            binary_expr(Expr::Column(column.clone()), Operator::IsNotDistinctFrom, Expr::Column(key))
        });
        let written =
            join.on.iter().map(|(left, right)| left.clone().eq(right.clone())).chain(join.filter.clone());
        let on = same.chain(written).reduce(Expr::and).unwrap_or_else(|| lit(true));
        outer.plan = LogicalPlanBuilder::from(outer.plan).join_on(rows, join.join_type, [on])?.build()?;
        only(outer.plan, given)
    }
}

/// A node over another input.
fn over(node: LogicalPlan, input: Arc<LogicalPlan>) -> Result<LogicalPlan> {
    match node {
        // DataFusion panics where this one has an order.
        LogicalPlan::Distinct(Distinct::On(DistinctOn { on_expr, select_expr, sort_expr, .. })) => {
            let distinct = DistinctOn::try_new(on_expr, select_expr, sort_expr, input)?;
            Ok(LogicalPlan::Distinct(Distinct::On(distinct)))
        }
        node => {
            let expressions = node.expressions();
            node.with_new_exprs(expressions, vec![Arc::unwrap_or_clone(input)])
        }
    }
}

/// Columns of a `DISTINCT ON` that are made of subqueries keep the names that they have.
fn with_named_answers(node: LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Distinct(Distinct::On(DistinctOn { on_expr, select_expr, sort_expr, input, .. })) = node
    else {
        return Ok(node);
    };
    let named = select_expr.into_iter().map(|column| {
        let is_made = column.exists(|part| Ok(is_subquery(part)))? && !matches!(column, Expr::Alias(_));
        let name = column.schema_name().to_string();
        Ok(if is_made { column.alias(name) } else { column })
    });
    let distinct = DistinctOn::try_new(on_expr, named.collect::<Result<_>>()?, sort_expr, input)?;
    Ok(LogicalPlan::Distinct(Distinct::On(distinct)))
}

/// A plan reduced to some of its columns.
fn only(plan: LogicalPlan, columns: Vec<Column>) -> Result<LogicalPlan> {
    if plan.schema().fields().len() == columns.len() {
        return Ok(plan);
    }
    LogicalPlanBuilder::from(plan).project(columns.into_iter().map(Expr::Column))?.build()
}

fn plan_of(subquery: &Expr) -> Option<&Subquery> {
    match subquery {
        Expr::Exists(exists) => Some(&exists.subquery),
        Expr::InSubquery(membership) => Some(&membership.subquery),
        Expr::SetComparison(comparison) => Some(&comparison.subquery),
        Expr::ScalarSubquery(subquery) => Some(subquery),
        _ => None,
    }
}

/// Whether the right side of a join names columns of the left one.
fn is_lateral(join: &Join) -> Result<bool> {
    let columns = outer_columns(&join.right)?;
    Ok(columns.iter().any(|column| join.left.schema().is_column_from_schema(column)))
}

/// The rows of a LATERAL subquery: they may have nested subqueries that alone name outer columns.
fn without_subquery_node(plan: LogicalPlan) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias, .. }) => {
            let input = without_subquery_node(input.as_ref().clone())?;
            Ok(LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(Arc::new(input), alias)?))
        }
        LogicalPlan::Subquery(subquery) => Ok(subquery.subquery.as_ref().clone()),
        other => Ok(other),
    }
}
