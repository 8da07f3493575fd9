//! IN, ANY and ALL as EXISTS. `x op ANY (rows)` is true if a row compares true; else unknown if a row's value is NULL, or `x` is and there
//! are rows; else false. ALL is "not ANY of the opposite", NOT IN is "not IN".

use std::sync::Arc;

use datafusion::{
    common::{
        Column, DFSchema, ExprSchema, ScalarValue, plan_err,
        tree_node::{Transformed, TreeNode},
    },
    error::Result,
    logical_expr::{
        BinaryExpr, Expr, ExprSchemable, Filter, LogicalPlan, LogicalPlanBuilder, Operator,
        expr::{InSubquery, SetComparison, SetQuantifier},
        lit, not, when,
    },
};

use super::{domain::Names, shape::outer_columns};

/// What the place of a condition makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// True or not: false and unknown are the same, as in WHERE.
    True,
    /// False or not: true and unknown are the same, as below a NOT in WHERE.
    False,
    /// Each of the three by itself.
    Exact,
}

impl Want {
    /// What NOT makes of it.
    pub(super) fn opposite(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Exact => Self::Exact,
        }
    }
}

/// `value op ANY (rows)`, or NOT that.
#[derive(Debug)]
pub(super) struct Membership {
    value: Expr,
    op: Operator,
    rows: LogicalPlan,
    negated: bool,
}

/// Conditions on the existence of rows that make up a membership.
#[derive(Debug)]
pub(super) struct Parts {
    /// A row compares true.
    pub(super) member: LogicalPlan,
    /// A row's value is NULL; `None` if none can be.
    pub(super) nothing: Option<LogicalPlan>,
    /// The value is NULL, and there is a row; `None` if the value cannot be.
    pub(super) unknown: Option<(Expr, LogicalPlan)>,
}

impl Membership {
    pub(super) fn of_in(InSubquery { expr, negated, .. }: InSubquery, rows: LogicalPlan) -> Self {
        Self { value: *expr, op: Operator::Eq, rows, negated }
    }

    /// # Errors
    /// `Plan` for an operator that is no comparison.
    pub(super) fn of_comparison(comparison: SetComparison, rows: LogicalPlan) -> Result<Self> {
        let SetComparison { expr, op, quantifier, .. } = comparison;
        let negated = matches!(quantifier, SetQuantifier::All);
        let compared = if negated { op.negate() } else { Some(op) };
        let Some(compared) = compared.filter(Operator::supports_propagation) else {
            return plan_err!("{op} cannot be used with {quantifier}: write =, <>, <, <=, > or >=");
        };
        Ok(Self { value: *expr, op: compared, rows, negated })
    }

    /// NOT of it.
    pub(super) fn opposite(self) -> Self {
        Self { negated: !self.negated, ..self }
    }

    pub(super) fn value_mut(&mut self) -> &mut Expr {
        &mut self.value
    }

    pub(super) fn is_negated(&self) -> bool {
        self.negated
    }

    /// Takes it apart; `outer` is the schema of the query around the rows, which may have the names of columns of the rows.
    ///
    /// # Errors
    /// Those of building plans.
    pub(super) fn parts(self, outer: &DFSchema, names: &Names) -> Result<Parts> {
        let is_nullable = self.value.nullable(outer)?;
        let (input, item) = item_of(self.rows)?;
        let nothing = if item.nullable(input.schema())? {
            Some(narrowed(input.clone(), item.clone().is_null())?)
        } else {
            None
        };
        let unknown = is_nullable.then(|| (self.value.clone().is_null(), input.clone()));
        let value = from_inside(self.value, outer)?;
        let (input, item) = if outer_columns(&input)?.is_empty() {
            let name = names.fresh("item");
            let named = LogicalPlanBuilder::from(input).project([item.alias(&name)])?.build()?;
            (named, Expr::Column(Column::new_unqualified(name)))
        } else {
            (input, item)
        };
        let compares = Expr::BinaryExpr(BinaryExpr::new(Box::new(value), self.op, Box::new(item)));
        let member = narrowed(input, compares)?;
        Ok(Parts { member, nothing, unknown })
    }
}

/// True, false and unknown of what is a member and what cannot be told.
pub(super) fn exactly(member: Expr, untold: Option<Expr>) -> Result<Expr> {
    let Some(untold) = untold else { return Ok(member) };
    when(member, lit(true)).when(untold, lit(ScalarValue::Boolean(None))).otherwise(lit(false))
}

/// NOT, without a NOT around an EXISTS.
pub(super) fn negate(condition: Expr) -> Expr {
    match condition {
        Expr::Exists(mut exists) => {
            exists.negated = !exists.negated;
            Expr::Exists(exists)
        }
        other => not(other),
    }
}

/// The rows that fulfil a condition besides: in one filter, for DataFusion forgets the lower one of two.
fn narrowed(rows: LogicalPlan, condition: Expr) -> Result<LogicalPlan> {
    let (input, condition) = match rows {
        LogicalPlan::Filter(filter) => (filter.input, filter.predicate.and(condition)),
        other => (Arc::new(other), condition),
    };
    Ok(LogicalPlan::Filter(Filter::try_new(condition, input)?))
}

/// The rows and the expression over them that is their only column.
fn item_of(rows: LogicalPlan) -> Result<(LogicalPlan, Expr)> {
    if rows.schema().fields().len() != 1 {
        return plan_err!(
            "the subquery of IN, ANY or ALL must give one column, not {}",
            rows.schema().fields().len()
        );
    }
    match rows {
        LogicalPlan::Projection(projection) if !projection.expr.iter().any(Expr::is_volatile) => {
            let input = projection.input.as_ref().clone();
            Ok((input, projection.expr.into_iter().next().map_or_else(|| lit(true), Expr::unalias)))
        }
        other => {
            let column = Column::from(other.schema().qualified_field(0));
            Ok((other, Expr::Column(column)))
        }
    }
}

/// An expression of the outer query as a subquery names it.
fn from_inside(expression: Expr, outer: &DFSchema) -> Result<Expr> {
    let renamed = expression.transform(|part| match part {
        Expr::Column(column) => {
            let field = outer.field_from_column(&column)?;
            Ok(Transformed::yes(Expr::OuterReferenceColumn(Arc::clone(field), column)))
        }
        other => Ok(Transformed::no(other)),
    });
    renamed.map(|renamed| renamed.data)
}
