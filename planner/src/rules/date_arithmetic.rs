//! `DateArithmetic`: a date plus or minus an interval is a moment, as in PostgreSQL. DataFusion makes it a date again and drops
//! hours and minutes: `timestamp < DATE '2025-06-01' + INTERVAL '3 hours'` lost three hours.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::{
    common::{
        DFSchema,
        tree_node::{Transformed, TreeNode},
    },
    error::Result,
    logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator, cast, expr::ScalarFunction},
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
            if let Expr::ScalarFunction(call) = part {
                return Ok(of_one_kind(call, schema));
            }
            if !self.concerns(&part) {
                return Ok(Transformed::no(part));
            }
            let Expr::BinaryExpr(BinaryExpr { left, op, right }) = part else {
                return Ok(Transformed::no(part));
            };
            let (left, right, changed) = moments(left, op, right, schema);
            let sum = Expr::BinaryExpr(BinaryExpr { left, op, right });
            Ok(if changed { Transformed::yes(sum) } else { Transformed::no(sum) })
        })
    }
}

/// Both sides, the date among them as a moment if the other is an interval. Asks the right side first: in a long chain it is short.
fn moments(
    left: Box<Expr>,
    op: Operator,
    right: Box<Expr>,
    schema: &DFSchema,
) -> (Box<Expr>, Box<Expr>, bool) {
    let type_of = |side: &Expr| side.get_type(schema).unwrap_or(DataType::Null);
    match type_of(&right) {
        DataType::Interval(_) if is_date(&type_of(&left)) => (moment(*left), right, true),
        date if is_date(&date) && op == Operator::Plus && is_interval(&type_of(&left)) => {
            (left, moment(*right), true)
        }
        _ => (left, right, false),
    }
}

/// A series from a date to what was one: both ends are moments then, as DataFusion wants them alike.
fn of_one_kind(mut call: ScalarFunction, schema: &DFSchema) -> Transformed<Expr> {
    let [first, last, ..] = call.args.as_mut_slice() else {
        return Transformed::no(Expr::ScalarFunction(call));
    };
    if !matches!(call.func.name(), "generate_series" | "range") {
        return Transformed::no(Expr::ScalarFunction(call));
    }
    let type_of = |side: &Expr| side.get_type(schema).unwrap_or(DataType::Null);
    let is_moment = |data_type: &DataType| matches!(data_type, DataType::Timestamp(..));
    let date = match (type_of(first), type_of(last)) {
        (moment, date) if is_moment(&moment) && is_date(&date) => last,
        (date, moment) if is_moment(&moment) && is_date(&date) => first,
        _ => return Transformed::no(Expr::ScalarFunction(call)),
    };
    *date = cast(date.clone(), DataType::Timestamp(TimeUnit::Microsecond, None));
    Transformed::yes(Expr::ScalarFunction(call))
}

fn moment(date: Expr) -> Box<Expr> {
    Box::new(cast(date, DataType::Timestamp(TimeUnit::Microsecond, None)))
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
