//! Puts columns and conditions in the place of the subqueries of one expression, and joins what they need to the plan below it.

use std::sync::Arc;

use datafusion::{
    common::{
        Column, ExprSchema,
        tree_node::{Transformed, TreeNode},
    },
    error::Result,
    functions_aggregate::count::count_all,
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, expr::Exists, lit},
};

use super::{
    dependent::Pairing,
    domain::Outer,
    is_subquery,
    members::{Membership, Want, exactly, negate},
    only_value::only_value,
    shape::{Existence, is_filtered_only, is_grouped_well, outer_columns},
    unnest::Unnest,
};

/// Where a condition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConditionPlace {
    /// One of those that WHERE joins by AND: DataFusion can make a semi or anti join of it.
    Conjunct,
    /// In what is looked for among the rows of a subquery: DataFusion makes it a join's condition, and joins no subquery below that.
    Operand,
    /// Anywhere else.
    Inside,
}

impl Unnest {
    /// An expression without the subqueries that have to go; what they need is joined to `outer`.
    pub(super) fn expression(
        &self,
        expression: Expr,
        want: Want,
        place: ConditionPlace,
        outer: &mut Outer,
    ) -> Result<Expr> {
        if !expression.exists(|part| Ok(is_subquery(part)))? {
            return Ok(expression);
        }
        match expression {
            Expr::Exists(Exists { subquery, negated }) => {
                let inner = self.plan(subquery.subquery.as_ref().clone())?;
                let exists = self.exists(inner, place, outer)?;
                Ok(if negated { negate(exists) } else { exists })
            }
            Expr::InSubquery(membership) => {
                let rows = self.plan(membership.subquery.subquery.as_ref().clone())?;
                self.membership(Membership::of_in(membership, rows), want, place, outer)
            }
            Expr::SetComparison(comparison) => {
                let rows = self.plan(comparison.subquery.subquery.as_ref().clone())?;
                self.membership(Membership::of_comparison(comparison, rows)?, want, place, outer)
            }
            Expr::ScalarSubquery(subquery) => self.value(&subquery, place, outer),
            Expr::Not(inner) => self.negated(*inner, want, place, outer),
            Expr::BinaryExpr(mut pair) if matches!(pair.op, Operator::And | Operator::Or) => {
                pair.left = Box::new(self.expression(*pair.left, want, ConditionPlace::Inside, outer)?);
                pair.right = Box::new(self.expression(*pair.right, want, ConditionPlace::Inside, outer)?);
                Ok(Expr::BinaryExpr(pair))
            }
            Expr::IsTrue(inner) => self.inside(*inner, Want::True, outer).map(Expr::is_true),
            Expr::IsNotTrue(inner) => self.inside(*inner, Want::True, outer).map(Expr::is_not_true),
            Expr::IsFalse(inner) => self.inside(*inner, Want::False, outer).map(Expr::is_false),
            Expr::IsNotFalse(inner) => self.inside(*inner, Want::False, outer).map(Expr::is_not_false),
            other => {
                let below = if place == ConditionPlace::Operand { place } else { ConditionPlace::Inside };
                let inside = other.map_children(|child| {
                    self.expression(child, Want::Exact, below, outer).map(Transformed::yes)
                });
                inside.map(|inside| inside.data)
            }
        }
    }

    /// NOT of a condition: NOT IN and its like are one thing to DataFusion, NOT around them is another.
    fn negated(&self, inner: Expr, want: Want, place: ConditionPlace, outer: &mut Outer) -> Result<Expr> {
        match inner {
            Expr::Exists(mut exists) => {
                exists.negated = !exists.negated;
                self.expression(Expr::Exists(exists), want, place, outer)
            }
            Expr::InSubquery(mut membership) => {
                membership.negated = !membership.negated;
                self.expression(Expr::InSubquery(membership), want, place, outer)
            }
            Expr::SetComparison(comparison) => {
                let rows = self.plan(comparison.subquery.subquery.as_ref().clone())?;
                let opposite = Membership::of_comparison(comparison, rows)?.opposite();
                self.membership(opposite, want, place, outer)
            }
            other => Ok(negate(self.inside(other, want.opposite(), outer)?)),
        }
    }

    fn inside(&self, expression: Expr, want: Want, outer: &mut Outer) -> Result<Expr> {
        self.expression(expression, want, ConditionPlace::Inside, outer)
    }

    fn membership(
        &self,
        mut membership: Membership,
        want: Want,
        place: ConditionPlace,
        outer: &mut Outer,
    ) -> Result<Expr> {
        let value = std::mem::take(membership.value_mut());
        *membership.value_mut() = self.expression(value, Want::Exact, ConditionPlace::Operand, outer)?;
        let negated = membership.is_negated();
        let want = if negated { want.opposite() } else { want };
        let parts = membership.parts(outer.plan.schema(), &self.names)?;
        let member = self.exists(parts.member, place, outer)?;
        if want == Want::True {
            return Ok(if negated { negate(member) } else { member });
        }
        let mut untold = Vec::new();
        if let Some(nothing) = parts.nothing {
            untold.push(self.exists(nothing, place, outer)?);
        }
        if let Some((is_null, rows)) = parts.unknown {
            untold.push(is_null.and(self.exists(rows, ConditionPlace::Inside, outer)?));
        }
        if want == Want::False {
            let either = [member].into_iter().chain(untold);
            return Ok(if negated {
                either.map(negate).reduce(Expr::and).unwrap_or_else(|| lit(true))
            } else {
                either.reduce(Expr::or).unwrap_or_else(|| lit(false))
            });
        }
        let exact = exactly(member, untold.into_iter().reduce(Expr::or))?;
        Ok(if negated { negate(exact) } else { exact })
    }

    /// Whether a plan has a row: true or false, never unknown.
    fn exists(&self, plan: LogicalPlan, place: ConditionPlace, outer: &mut Outer) -> Result<Expr> {
        let plan = match Existence::of(plan) {
            Existence::Always => return Ok(lit(true)),
            Existence::Never => return Ok(lit(false)),
            Existence::Of(plan) => plan,
        };
        let columns = outer_columns(&plan)?;
        let own = outer.own(&columns);
        if own.is_empty() {
            return self.exists_at_all(plan, &columns, outer);
        }
        if place == ConditionPlace::Conjunct && own.len() == columns.len() && is_filtered_only(&plan)? {
            return Ok(Expr::Exists(Exists { subquery: subquery(plan, outer)?, negated: false }));
        }
        let domain = outer.domain(own)?;
        let paired = Pairing { domain: &domain, names: &self.names }.pair(plan)?;
        let found = self.names.fresh("found");
        let keys = || paired.keys.iter().cloned().map(Expr::Column);
        let answers = LogicalPlanBuilder::from(paired.plan)
            .aggregate(keys(), Vec::<Expr>::new())?
            .project(keys().chain([lit(true).alias(&found)]))?
            .build()?;
        outer.join(answers, domain.columns(), &paired.keys)?;
        Ok(Expr::Column(Column::new_unqualified(found)).is_not_null())
    }

    /// EXISTS that is the same for all rows of the outer plan.
    fn exists_at_all(&self, plan: LogicalPlan, columns: &[Column], outer: &mut Outer) -> Result<Expr> {
        let found = self.names.fresh("found");
        let count = LogicalPlanBuilder::from(plan)
            .limit(0, Some(1))?
            .aggregate(Vec::<Expr>::new(), [count_all().alias(&found)])?
            .build()?;
        let column = Expr::Column(Column::new_unqualified(&found));
        let answer = LogicalPlanBuilder::from(count).project([column.clone()])?.build()?;
        if columns.is_empty() {
            let subquery = subquery(answer, outer)?;
            return Ok(Expr::ScalarSubquery(subquery).gt(lit(0_i64)));
        }
        outer.join(answer, &[], &[])?;
        Ok(column.gt(lit(0_i64)))
    }

    /// The only value of a subquery, NULL if it has no row.
    fn value(&self, written: &Subquery, place: ConditionPlace, outer: &mut Outer) -> Result<Expr> {
        let plan = self.plan(written.subquery.as_ref().clone())?;
        let columns = outer_columns(&plan)?;
        let own = outer.own(&columns);
        if columns.is_empty() {
            return Ok(Expr::ScalarSubquery(subquery(maybe_nothing(plan)?, outer)?));
        }
        if place != ConditionPlace::Operand && own.len() == columns.len() && is_grouped_well(&plan)? {
            return Ok(Expr::ScalarSubquery(subquery(plan, outer)?));
        }
        let answer = self.names.fresh("answer");
        let column = Expr::Column(Column::from(plan.schema().qualified_field(0)));
        let named = Expr::Column(Column::new_unqualified(&answer));
        let is_one_row = plan.max_rows().is_some_and(|rows| rows <= 1);
        let plan = LogicalPlanBuilder::from(plan);
        // Under a name of its own before others stand beside it.
        let plan = if is_one_row {
            plan.project([column.alias(&answer)])?.build()?
        } else {
            plan.aggregate(Vec::<Expr>::new(), [only_value(column).alias(&answer)])?.build()?
        };
        if own.is_empty() {
            outer.join(plan, &[], &[])?;
            return Ok(named);
        }
        let domain = outer.domain(own)?;
        let paired = Pairing { domain: &domain, names: &self.names }.pair(plan)?;
        let kept = paired.keys.iter().cloned().map(Expr::Column).chain([named.clone()]);
        let answers = LogicalPlanBuilder::from(paired.plan).project(kept)?.build()?;
        outer.join(answers, domain.columns(), &paired.keys)?;
        Ok(named)
    }
}

/// A value that is NULL without a row, and says so: DataFusion announces it as the column it comes from, which may be a constant once
/// it is simplified.
pub(super) fn maybe_nothing(plan: LogicalPlan) -> Result<LogicalPlan> {
    let column = Expr::Column(Column::from(plan.schema().qualified_field(0)));
    if matches!(Existence::of(plan.clone()), Existence::Always) {
        return Ok(plan);
    }
    let name = plan.schema().field(0).name().clone();
    let only = only_value(column).alias(name);
    LogicalPlanBuilder::from(plan).aggregate(Vec::<Expr>::new(), [only])?.build()
}

/// A subquery as an expression holds it.
fn subquery(plan: LogicalPlan, outer: &Outer) -> Result<Subquery> {
    let fields = outer.plan.schema();
    let columns = outer_columns(&plan)?;
    let named = columns.into_iter().map(|column| {
        let field = fields.field_from_column(&column)?;
        Ok(Expr::OuterReferenceColumn(Arc::clone(field), column))
    });
    let outer_ref_columns = named.collect::<Result<_>>()?;
    Ok(Subquery { subquery: Arc::new(plan), outer_ref_columns, spans: Default::default() })
}
