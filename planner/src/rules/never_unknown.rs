//! `NeverUnknown`: `x = y IS NOT FALSE` is `x = y` where neither can be null. `(a, b) NOT IN (SELECT …)` asks so of each column, and a
//! join looks up equalities only: without one it compares every row with every other.

use datafusion::{
    common::{
        DFSchema,
        tree_node::{Transformed, TreeNode},
    },
    error::Result,
    logical_expr::{Expr, ExprSchemable},
};

use super::mend::Mend;

/// Runs once types are known, before subqueries become joins.
#[derive(Debug)]
pub(super) struct NeverUnknown;

impl Mend for NeverUnknown {
    fn concerns(&self, part: &Expr) -> bool {
        matches!(part, Expr::IsNotFalse(_))
    }

    fn mend(&self, expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        expression.transform_up(|part| match part {
            Expr::IsNotFalse(inner) if is_never_null(&inner, schema)? => Ok(Transformed::yes(*inner)),
            other => Ok(Transformed::no(other)),
        })
    }
}

/// A subquery is null where it has no rows, and IN where it has null, whatever DataFusion says of its column.
fn is_never_null(expression: &Expr, schema: &DFSchema) -> Result<bool> {
    let asks = |part: &Expr| {
        Ok(matches!(part, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::SetComparison(_)))
    };
    Ok(!expression.exists(asks)? && expression.nullable(schema).is_ok_and(|nullable| !nullable))
}
