//! `VolatileOnce`: a volatile expression is computed as often as it is written. DataFusion writes `random() BETWEEN 0.4 AND 0.6` as two
//! comparisons with two numbers, `floor(random() * 10) = 3` as a range of two, and the conditions of a boolean `CASE` and all but the
//! last argument of `coalesce` twice.

use datafusion::{
    common::{
        DFSchema,
        tree_node::{Transformed, TreeNode},
    },
    error::Result,
    logical_expr::{
        Between, BinaryExpr, Case, Expr, ExprSchemable, expr::InList, expr::ScalarFunction, lit, not,
    },
};

use super::{comparison::is_comparison, mend::Mend, set_apart::set_apart};
use crate::functions::{between, first_value};

/// Puts what computes its arguments once in the place of what DataFusion writes out. Runs once types are known.
#[derive(Debug)]
pub(super) struct VolatileOnce;

impl Mend for VolatileOnce {
    fn concerns(&self, part: &Expr) -> bool {
        part.is_volatile_node()
    }

    fn mend(&self, expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        if !expression.is_volatile() {
            return Ok(Transformed::no(expression));
        }
        expression.transform_up(|part| {
            Ok(match part {
                Expr::Between(Between { expr, negated, low, high }) if expr.is_volatile() => {
                    let inside = between(*expr, *low, *high);
                    Transformed::yes(if negated { not(inside) } else { inside })
                }
                Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
                    let comparison = BinaryExpr::new(hidden(left), op, hidden(right));
                    Transformed::yes(Expr::BinaryExpr(comparison))
                }
                Expr::InList(InList { expr, list, negated }) => {
                    Transformed::yes(Expr::InList(InList { expr: hidden(expr), list, negated }))
                }
                Expr::Case(Case { expr: None, when_then_expr, else_expr })
                    if when_then_expr.iter().any(|(when, _)| when.is_volatile()) =>
                {
                    let truth = Some(Box::new(lit(true)));
                    Transformed::yes(Expr::Case(Case { expr: truth, when_then_expr, else_expr }))
                }
                Expr::ScalarFunction(ScalarFunction { func, args })
                    if matches!(func.name(), "coalesce" | "nvl") && args.iter().any(Expr::is_volatile) =>
                {
                    let call = Expr::ScalarFunction(ScalarFunction { func, args });
                    let data_type = call.get_type(schema)?;
                    let Expr::ScalarFunction(ScalarFunction { args, .. }) = call else {
                        return Ok(Transformed::no(call));
                    };
                    let args = args.into_iter().map(|arg| arg.cast_to(&data_type, schema));
                    Transformed::yes(first_value(args.collect::<Result<_>>()?))
                }
                other => Transformed::no(other),
            })
        })
    }
}

/// A function call in a comparison, so that it is not turned round into a range of its arguments.
fn hidden(side: Box<Expr>) -> Box<Expr> {
    if side.is_volatile() && matches!(*side, Expr::ScalarFunction(_)) {
        return Box::new(set_apart(*side, "volatile"));
    }
    side
}
