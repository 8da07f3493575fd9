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
            Expr::IsNotFalse(inner) if inner.nullable(schema).is_ok_and(|nullable| !nullable) => {
                Ok(Transformed::yes(*inner))
            }
            other => Ok(Transformed::no(other)),
        })
    }
}
