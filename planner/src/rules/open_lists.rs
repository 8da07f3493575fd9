//! `OpenLists`: what is no constant stands beside an `IN` list, not in it: `x IN (1, 2, y)` is `x IN (1, 2) OR x = y`. DataFusion asks each
//! member for its value over no rows, and takes the list for a set of constants if all give one; a `CASE` does, and so does `coalesce`,
//! which is one.

use datafusion::{
    common::{
        DFSchema,
        tree_node::{Transformed, TreeNode},
    },
    error::Result,
    logical_expr::{Expr, Operator, binary_expr, expr::InList},
};

use super::mend::Mend;

/// See the module. Runs once types are known.
#[derive(Debug)]
pub(super) struct OpenLists;

impl Mend for OpenLists {
    fn concerns(&self, part: &Expr) -> bool {
        matches!(part, Expr::InList(list) if list.list.iter().any(is_open))
    }

    fn mend(&self, expression: Expr, _: &DFSchema) -> Result<Transformed<Expr>> {
        expression.transform_up(|part| {
            Ok(match part {
                // Compared with each member anew, it would be another value each time.
                Expr::InList(list) if !list.expr.is_volatile() && list.list.iter().any(is_open) => {
                    Transformed::yes(split(list))
                }
                other => Transformed::no(other),
            })
        })
    }
}

/// A bare column gives no value over no rows; neither does what is a constant.
fn is_open(member: &Expr) -> bool {
    let depends = |part: &Expr| {
        let is_read =
            matches!(part, Expr::Column(_) | Expr::OuterReferenceColumn(..) | Expr::ScalarSubquery(_));
        Ok(is_read || part.is_volatile_node())
    };
    !matches!(member, Expr::Column(_)) && member.exists(depends).unwrap_or(true)
}

fn split(list: InList) -> Expr {
    let InList { expr, list, negated } = list;
    let (equal, joined) =
        if negated { (Operator::NotEq, Operator::And) } else { (Operator::Eq, Operator::Or) };
    let (open, closed): (Vec<Expr>, Vec<Expr>) = list.into_iter().partition(is_open);
    let rest = (!closed.is_empty()).then(|| Expr::InList(InList::new(expr.clone(), closed, negated)));
    let tests = open.into_iter().map(|member| binary_expr((*expr).clone(), equal, member));
    let mut tests = rest.into_iter().chain(tests);
    let first = tests.next();
    first.map_or_else(
        || Expr::InList(InList::new(expr.clone(), vec![], negated)),
        |first| tests.fold(first, |all, test| binary_expr(all, joined, test)),
    )
}
