//! `DateArithmetic`: a date plus or minus an interval is a moment, as in PostgreSQL. DataFusion makes it a date again and drops
//! hours and minutes: `timestamp < DATE '2025-06-01' + INTERVAL '3 hours'` lost three hours.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::{
    common::{
        DFSchema,
        tree_node::{Transformed, TreeNode},
    },
    error::Result,
    logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator, cast},
};

use super::mend::Mend;

/// Makes the date a moment before an interval is added. Runs before types are brought together.
#[derive(Debug)]
pub(super) struct DateArithmetic;

impl Mend for DateArithmetic {
    fn concerns(&self, part: &Expr) -> bool {
        let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus | Operator::Minus, right }) = part else {
            return false;
        };
        !is_number(left) && !is_number(right)
    }

    fn mend(&self, expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        expression.transform_up(|part| {
            if !self.concerns(&part) {
                return Ok(Transformed::no(part));
            }
            let Expr::BinaryExpr(BinaryExpr { left, op, right }) = part else {
                return Ok(Transformed::no(part));
            };
            let side = date_side(&left, op, &right, schema);
            let sum = match side {
                Some(Side::Left) => BinaryExpr { left: Box::new(moment(*left)), op, right },
                Some(Side::Right) => BinaryExpr { left, op, right: Box::new(moment(*right)) },
                None => return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }))),
            };
            Ok(Transformed::yes(Expr::BinaryExpr(sum)))
        })
    }
}

/// A side of a sum.
pub(super) enum Side {
    Left,
    Right,
}

/// The side of a sum that is a date beside an interval. Asks the right side first: in a long chain it is short.
pub(super) fn date_side(left: &Expr, op: Operator, right: &Expr, schema: &DFSchema) -> Option<Side> {
    let type_of = |side: &Expr| side.get_type(schema).unwrap_or(DataType::Null);
    match type_of(right) {
        DataType::Interval(_) if is_date(&type_of(left)) => Some(Side::Left),
        date if is_date(&date) && op == Operator::Plus && is_interval(&type_of(left)) => Some(Side::Right),
        _ => None,
    }
}

/// A date as the moment at which it begins.
pub(super) fn moment(date: Expr) -> Expr {
    cast(date, DataType::Timestamp(TimeUnit::Microsecond, None))
}

fn is_date(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Date64)
}

fn is_interval(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_))
}

fn is_number(side: &Expr) -> bool {
    matches!(side, Expr::Literal(value, _) if value.data_type().is_numeric())
}
