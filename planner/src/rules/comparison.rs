//! Which operators compare two values of one type.

use datafusion::logical_expr::Operator;

/// `=`, `<` and kin, `IS [NOT] DISTINCT FROM` among them.
pub(super) fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}
