//! `column = 'a'`, `column IN ('a', 'b')` and `column = 'a' OR column = 'b'` as a set of texts.

use std::{collections::BTreeSet, sync::Arc};

use datafusion::{
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr,
        expressions::{BinaryExpr, Column, InListExpr, Literal},
    },
};

/// The column and the texts that it may be, if that is all that the expression says.
pub(super) fn one_of(expr: &Arc<dyn PhysicalExpr>) -> Option<(String, BTreeSet<String>)> {
    if let Some(list) = expr.downcast_ref::<InListExpr>() {
        let name = column_name(list.expr())?;
        let values = list.list().iter().map(text).collect::<Option<_>>()?;
        return (!list.negated()).then_some((name, values));
    }
    let binary = expr.downcast_ref::<BinaryExpr>()?;
    match binary.op() {
        Operator::Eq => {
            let sides = [(binary.left(), binary.right()), (binary.right(), binary.left())];
            sides
                .into_iter()
                .find_map(|(column, value)| Some((column_name(column)?, BTreeSet::from([text(value)?]))))
        }
        Operator::Or => {
            let (left, right) = (one_of(binary.left())?, one_of(binary.right())?);
            (left.0 == right.0).then(|| (left.0, &left.1 | &right.1))
        }
        _ => None,
    }
}

fn column_name(expr: &Arc<dyn PhysicalExpr>) -> Option<String> {
    expr.downcast_ref::<Column>().map(|column| column.name().to_owned())
}

fn text(expr: &Arc<dyn PhysicalExpr>) -> Option<String> {
    expr.downcast_ref::<Literal>()?.value().try_as_str()?.map(str::to_owned)
}
