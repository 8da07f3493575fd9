//! `IntervalArithmetic`: intervals times and by numbers, and dates with intervals, while operators are planned. Arrow multiplies no interval, so
//! DataFusion refuses `INTERVAL '1 hour' * 3` before any rule sees it; and it computes the arguments of `generate_series` at once, so
//! that [`DateArithmetic`](super::date_arithmetic) comes too late for `DATE '2025-06-01' + INTERVAL '6 hours'` there.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalUnit};
use datafusion::{
    common::DFSchema,
    error::Result,
    logical_expr::{
        Expr, ExprSchemable, Operator, binary_expr, cast,
        expr::Placeholder,
        planner::{ExprPlanner, PlannerResult, RawBinaryExpr},
    },
    sql::sqlparser::ast::BinaryOperator,
};

use super::date_arithmetic::{Side, date_side, moment};
use crate::functions::{interval_by, interval_times, times_interval};

/// See the module.
#[derive(Debug)]
pub(super) struct IntervalArithmetic;

impl ExprPlanner for IntervalArithmetic {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let planned = match expr.op {
            BinaryOperator::Multiply => product(&expr, schema),
            BinaryOperator::Divide => quotient(&expr, schema),
            BinaryOperator::Plus => sum(&expr, Operator::Plus, schema),
            BinaryOperator::Minus => sum(&expr, Operator::Minus, schema),
            _ => None,
        };
        Ok(planned.map_or(PlannerResult::Original(expr), PlannerResult::Planned))
    }
}

/// Asks the right side first: in a long chain it is short.
fn product(expr: &RawBinaryExpr, schema: &DFSchema) -> Option<Expr> {
    Some(match interval(&expr.right, schema) {
        Some(interval) => times_interval().call(vec![number(&expr.left, schema)?, interval]),
        None => {
            let number = number(&expr.right, schema)?;
            interval_times().call(vec![interval(&expr.left, schema)?, number])
        }
    })
}

fn quotient(expr: &RawBinaryExpr, schema: &DFSchema) -> Option<Expr> {
    let number = number(&expr.right, schema)?;
    Some(interval_by().call(vec![interval(&expr.left, schema)?, number]))
}

fn sum(expr: &RawBinaryExpr, op: Operator, schema: &DFSchema) -> Option<Expr> {
    let RawBinaryExpr { left, right, .. } = expr;
    Some(match date_side(left, op, right, schema)? {
        Side::Left => binary_expr(moment(left.clone()), op, right.clone()),
        Side::Right => binary_expr(left.clone(), op, moment(right.clone())),
    })
}

/// An operand that is an interval, or a duration, which is one without days. No product that DataFusion has planned is one.
fn interval(operand: &Expr, schema: &DFSchema) -> Option<Expr> {
    if matches!(operand, Expr::BinaryExpr(binary) if matches!(binary.op, Operator::Multiply | Operator::Divide))
    {
        return None;
    }
    match operand.get_type(schema).ok()? {
        DataType::Interval(_) => Some(operand.clone()),
        DataType::Duration(_) => Some(cast(operand.clone(), DataType::Interval(IntervalUnit::MonthDayNano))),
        _ => None,
    }
}

/// An operand that is a number, or a parameter, which is to be one.
fn number(operand: &Expr, schema: &DFSchema) -> Option<Expr> {
    if let Expr::Placeholder(Placeholder { id, field: None }) = operand {
        let field = Arc::new(Field::new("", DataType::Float64, true));
        return Some(Expr::Placeholder(Placeholder::new_with_field(id.clone(), Some(field))));
    }
    let data_type = operand.get_type(schema).ok()?;
    (data_type.is_numeric() || data_type.is_null()).then(|| operand.clone())
}
