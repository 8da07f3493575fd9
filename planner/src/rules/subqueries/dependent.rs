//! A subquery for all outer values at once: the plan that has, for each row of a domain, the rows that the subquery has for it, with
//! the domain's values beside them.

use datafusion::{
    common::{
        Column, JoinType, NullEquality,
        tree_node::{Transformed, TreeNode},
    },
    error::{DataFusionError, Result},
    functions_window::row_number::row_number_udwf,
    logical_expr::{
        Aggregate, Distinct, Expr, FetchType, Filter, Join, Limit, LogicalPlan, LogicalPlanBuilder,
        Projection, SkipType, Sort, SortExpr, SubqueryAlias, Union, Window, WindowFunctionDefinition, col,
        expr::{AggregateFunction, WindowFunction},
        expr_rewriter::NamePreserver,
        lit,
    },
};

use super::{
    domain::{Domain, Names},
    shape::{has_grouping_sets, outer_columns},
};

/// A plan with the values of a domain beside its rows.
#[derive(Debug)]
pub(super) struct Dependent {
    pub(super) plan: LogicalPlan,
    /// Where the values stand, in the order of the domain's columns.
    pub(super) keys: Vec<Column>,
    /// Where a row stands among those of its values, if it was sorted.
    rank: Option<Column>,
}

/// Pairs plans with one domain.
#[derive(Debug)]
pub(super) struct Pairing<'a> {
    pub(super) domain: &'a Domain,
    pub(super) names: &'a Names,
}

impl Pairing<'_> {
    /// Returns the rows of `plan` for each of the domain's values.
    ///
    /// # Errors
    /// `Plan` for a node that cannot be asked for many values at once.
    pub(super) fn pair(&self, plan: LogicalPlan) -> Result<Dependent> {
        if !self.concerns(&plan)? {
            return self.cross(plan);
        }
        match plan {
            LogicalPlan::Projection(node) => self.projection(node),
            LogicalPlan::Filter(node) => self.filter(node),
            LogicalPlan::SubqueryAlias(node) => self.alias(node),
            LogicalPlan::Aggregate(node) => self.aggregate(node),
            LogicalPlan::Distinct(Distinct::All(input)) => self.distinct(input.as_ref().clone()),
            LogicalPlan::Sort(node) => self.sort(node),
            LogicalPlan::Limit(node) => self.limit(node),
            LogicalPlan::Window(node) => self.window(node),
            LogicalPlan::Join(node) => self.join(node),
            LogicalPlan::Union(node) => self.union(node),
            other => Err(refusal(&other)),
        }
    }

    /// Whether a plan names any of the domain's columns.
    fn concerns(&self, plan: &LogicalPlan) -> Result<bool> {
        Ok(outer_columns(plan)?.iter().any(|column| self.domain.columns().contains(column)))
    }

    fn cross(&self, plan: LogicalPlan) -> Result<Dependent> {
        let (values, keys) = self.domain.copy(self.names)?;
        let plan = LogicalPlanBuilder::from(values).cross_join(plan)?.build()?;
        Ok(Dependent { plan, keys, rank: None })
    }

    /// Puts the domain's values in the place of its columns.
    fn bound(&self, expression: Expr, keys: &[Column]) -> Result<Expr> {
        let columns = self.domain.columns();
        let bound = expression.transform(|part| {
            if let Expr::OuterReferenceColumn(_, column) = &part
                && let Some(index) = columns.iter().position(|known| known == column)
            {
                return Ok(Transformed::yes(Expr::Column(keys[index].clone())));
            }
            Ok(Transformed::no(part))
        });
        bound.map(|bound| bound.data)
    }

    /// [`Pairing::bound`] for expressions that make columns: under the names that they had.
    fn bound_columns(&self, expressions: Vec<Expr>, keys: &[Column]) -> Result<Vec<Expr>> {
        let names = NamePreserver::new_for_projection();
        let bound = |expression: Expr| {
            let name = names.save(&expression);
            Ok(name.restore(self.bound(expression, keys)?))
        };
        expressions.into_iter().map(bound).collect()
    }

    fn projection(&self, node: Projection) -> Result<Dependent> {
        let Dependent { plan, keys, rank } = self.pair(node.input.as_ref().clone())?;
        let mut columns = self.bound_columns(node.expr, &keys)?;
        columns.extend(keys.iter().chain(&rank).cloned().map(Expr::Column));
        let plan = LogicalPlan::Projection(Projection::try_new(columns, plan.into())?);
        Ok(Dependent { plan, keys, rank })
    }

    fn filter(&self, node: Filter) -> Result<Dependent> {
        let Dependent { plan, keys, rank } = self.pair(node.input.as_ref().clone())?;
        let predicate = self.bound(node.predicate, &keys)?;
        let plan = LogicalPlan::Filter(Filter::try_new(predicate, plan.into())?);
        Ok(Dependent { plan, keys, rank })
    }

    fn alias(&self, node: SubqueryAlias) -> Result<Dependent> {
        let Dependent { plan, keys, rank } = self.pair(node.input.as_ref().clone())?;
        let renamed = |column: Column| Column::new(Some(node.alias.clone()), column.name);
        let plan = LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(plan.into(), node.alias.clone())?);
        let keys = keys.into_iter().map(renamed).collect();
        Ok(Dependent { plan, keys, rank: rank.map(renamed) })
    }

    /// Groups by the values as well. Without GROUP BY there is a row for each value, though no row may belong to it.
    fn aggregate(&self, node: Aggregate) -> Result<Dependent> {
        if has_grouping_sets(&node) {
            return Err(refusal(&LogicalPlan::Aggregate(node)));
        }
        let input = self.pair(node.input.as_ref().clone())?;
        let mut aggregates = self.bound_columns(node.aggr_expr, &input.keys)?;
        let (plan, keys) = if node.group_expr.is_empty() {
            let present = self.names.fresh("present");
            let (plan, keys) = self.every_value(input, &present)?;
            for aggregate in &mut aggregates {
                *aggregate = where_present(aggregate.clone(), &present)?;
            }
            (plan, keys)
        } else {
            (input.plan, input.keys)
        };
        let mut groups = self.bound_columns(node.group_expr, &keys)?;
        groups.extend(keys.iter().cloned().map(Expr::Column));
        let plan = LogicalPlan::Aggregate(Aggregate::try_new(plan.into(), groups, aggregates)?);
        Ok(Dependent { plan, keys, rank: None })
    }

    /// The rows, or one without `present`, for each value.
    fn every_value(&self, input: Dependent, present: &str) -> Result<(LogicalPlan, Vec<Column>)> {
        let columns = input.plan.schema().columns().into_iter().map(Expr::Column);
        let columns: Vec<Expr> = columns.chain([lit(true).alias(present)]).collect();
        let rows = LogicalPlanBuilder::from(input.plan).project(columns)?.build()?;
        let (values, keys) = self.domain.copy(self.names)?;
        let on = (keys.clone(), input.keys);
        let plan = LogicalPlanBuilder::from(values)
            .join_detailed(rows, JoinType::Left, on, None, NullEquality::NullEqualsNull)?
            .build()?;
        Ok((plan, keys))
    }

    fn distinct(&self, input: LogicalPlan) -> Result<Dependent> {
        let (plan, keys) = self.exactly(input)?;
        Ok(Dependent { plan: LogicalPlan::Distinct(Distinct::All(plan.into())), keys, rank: None })
    }

    /// The columns of a plan, then the values, and nothing else.
    fn exactly(&self, plan: LogicalPlan) -> Result<(LogicalPlan, Vec<Column>)> {
        let columns = plan.schema().columns();
        let Dependent { plan, keys, .. } = self.pair(plan)?;
        let all = columns.into_iter().chain(keys.iter().cloned()).map(Expr::Column);
        Ok((LogicalPlanBuilder::from(plan).project(all)?.build()?, keys))
    }

    fn sort(&self, node: Sort) -> Result<Dependent> {
        let input = self.pair(node.input.as_ref().clone())?;
        let mut order = Vec::with_capacity(node.expr.len());
        for sort in node.expr {
            order.push(SortExpr { expr: self.bound(sort.expr, &input.keys)?, ..sort });
        }
        let sorted = self.ranked(input, order)?;
        match node.fetch {
            Some(fetch) => self.first(sorted, 0, Some(fetch)),
            None => Ok(sorted),
        }
    }

    fn limit(&self, node: Limit) -> Result<Dependent> {
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) =
            (node.get_skip_type()?, node.get_fetch_type()?)
        else {
            return Err(refusal(&LogicalPlan::Limit(node)));
        };
        let input = self.pair(node.input.as_ref().clone())?;
        self.first(input, skip, fetch)
    }

    /// The first rows of each value.
    fn first(&self, input: Dependent, skip: usize, fetch: Option<usize>) -> Result<Dependent> {
        let order = input.rank.iter().map(|rank| Expr::Column(rank.clone()).sort(true, false)).collect();
        let Dependent { plan, keys, rank } = self.ranked(input, order)?;
        let place = || rank.iter().cloned().map(Expr::Column);
        let number = |count: usize| lit(u64::try_from(count).unwrap_or(u64::MAX));
        let beyond = place().map(|place| place.gt(number(skip)));
        let within = place().zip(fetch).map(|(place, fetch)| place.lt_eq(number(skip.saturating_add(fetch))));
        let plan = LogicalPlanBuilder::from(plan);
        let plan = beyond.chain(within).try_fold(plan, LogicalPlanBuilder::filter)?.build()?;
        Ok(Dependent { plan, keys, rank })
    }

    /// Numbers the rows of each value.
    fn ranked(&self, input: Dependent, order: Vec<SortExpr>) -> Result<Dependent> {
        let name = self.names.fresh("rank");
        let mut number = WindowFunction::new(WindowFunctionDefinition::WindowUDF(row_number_udwf()), vec![]);
        number.params.partition_by = input.keys.iter().cloned().map(Expr::Column).collect();
        number.params.order_by = order;
        let number = Expr::from(number).alias(&name);
        let plan = LogicalPlan::Window(Window::try_new(vec![number], input.plan.into())?);
        Ok(Dependent { plan, keys: input.keys, rank: Some(Column::new_unqualified(name)) })
    }

    fn window(&self, node: Window) -> Result<Dependent> {
        let Dependent { plan, keys, rank } = self.pair(node.input.as_ref().clone())?;
        let names = NamePreserver::new_for_projection();
        let mut windows = Vec::with_capacity(node.window_expr.len());
        for window in node.window_expr {
            let name = names.save(&window);
            let apart = self.bound(window, &keys)?.transform(|part| match part {
                Expr::WindowFunction(mut window) => {
                    window.params.partition_by.extend(keys.iter().cloned().map(Expr::Column));
                    Ok(Transformed::yes(Expr::WindowFunction(window)))
                }
                other => Ok(Transformed::no(other)),
            })?;
            windows.push(name.restore(apart.data));
        }
        let plan = LogicalPlan::Window(Window::try_new(windows, plan.into())?);
        Ok(Dependent { plan, keys, rank })
    }

    /// Pairs the sides that need it; two paired sides meet in the same values.
    fn join(&self, node: Join) -> Result<Dependent> {
        let (needs_left, needs_right) = (self.concerns(&node.left)?, self.concerns(&node.right)?);
        let (pair_left, pair_right) = match node.join_type {
            JoinType::Inner => (needs_left || !needs_right, needs_right),
            JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => {
                (true, needs_right)
            }
            JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
                (needs_left, true)
            }
            JoinType::Full => return Err(refusal(&LogicalPlan::Join(node))),
        };
        let (left, left_keys) = self.side(&node.left, pair_left)?;
        let (right, right_keys) = self.side(&node.right, pair_right)?;
        let keys = match node.join_type {
            JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
                right_keys.clone()
            }
            _ if pair_left => left_keys.clone(),
            _ => right_keys.clone(),
        };
        let same = left_keys.into_iter().zip(right_keys).map(|(left, right)| {
            datafusion::logical_expr::binary_expr(
                Expr::Column(left),
                datafusion::logical_expr::Operator::IsNotDistinctFrom,
                Expr::Column(right),
            )
        });
        let filter = node.filter.map(|filter| self.bound(filter, &keys)).transpose()?;
        let filter = filter.into_iter().chain(same).reduce(Expr::and);
        let bound_pair = |(left, right)| Ok((self.bound(left, &keys)?, self.bound(right, &keys)?));
        let on = node.on.into_iter().map(bound_pair).collect::<Result<Vec<_>>>()?;
        let (kind, constraint, nulls) = (node.join_type, node.join_constraint, node.null_equality);
        let join =
            Join::try_new(left.into(), right.into(), on, filter, kind, constraint, nulls, node.null_aware)?;
        Ok(Dependent { plan: LogicalPlan::Join(join), keys, rank: None })
    }

    fn side(&self, plan: &LogicalPlan, pair: bool) -> Result<(LogicalPlan, Vec<Column>)> {
        if !pair {
            return Ok((plan.clone(), vec![]));
        }
        let Dependent { plan, keys, .. } = self.pair(plan.clone())?;
        Ok((plan, keys))
    }

    fn union(&self, node: Union) -> Result<Dependent> {
        let width = node.schema.fields().len();
        let mut inputs = Vec::with_capacity(node.inputs.len());
        let names: Vec<String> = self.domain.columns().iter().map(|_| self.names.fresh("outer")).collect();
        for input in node.inputs {
            let (plan, keys) = self.exactly(input.as_ref().clone())?;
            let columns = plan.schema().columns();
            let own = columns.into_iter().take(width).map(Expr::Column);
            let named = keys.into_iter().zip(&names).map(|(key, name)| Expr::Column(key).alias(name));
            inputs.push(LogicalPlanBuilder::from(plan).project(own.chain(named))?.build()?.into());
        }
        let union = LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?);
        let given = union.schema().columns();
        let renamed = given.iter().zip(node.schema.iter()).map(|(column, (relation, field))| {
            Expr::Column(column.clone()).alias_qualified(relation.cloned(), field.name())
        });
        let keys = given
            .iter()
            .skip(width)
            .zip(&names)
            .map(|(column, name)| Expr::Column(column.clone()).alias(name));
        let plan = LogicalPlanBuilder::from(union).project(renamed.chain(keys))?.build()?;
        Ok(Dependent { plan, keys: names.into_iter().map(Column::new_unqualified).collect(), rank: None })
    }
}

/// An aggregate of those rows only that are there.
fn where_present(aggregate: Expr, present: &str) -> Result<Expr> {
    let names = NamePreserver::new_for_projection();
    let name = names.save(&aggregate);
    let narrowed = aggregate.transform(|part| match part {
        Expr::AggregateFunction(AggregateFunction { func, mut params }) => {
            let is_present = col(present).is_not_null();
            let filter = params
                .filter
                .take()
                .map_or_else(|| is_present.clone(), |filter| filter.and(is_present.clone()));
            params.filter = Some(Box::new(filter));
            Ok(Transformed::yes(Expr::AggregateFunction(AggregateFunction { func, params })))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(name.restore(narrowed.data))
}

fn refusal(node: &LogicalPlan) -> DataFusionError {
    let outer = outer_columns(node).unwrap_or_default();
    let names: Vec<String> = outer.iter().map(Column::quoted_flat_name).collect();
    let what = node.display().to_string();
    let what = what.split([':', ' ']).next().unwrap_or_default();
    DataFusionError::Plan(format!(
        "a subquery cannot name a column of the query around it ({}) inside of {what}: write the subquery as a join",
        names.join(", ")
    ))
}
