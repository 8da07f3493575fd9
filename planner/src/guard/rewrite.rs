//! Puts [`Guarded`] in the place of each AND and OR that has an operand which can fail.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::{
    common::ScalarValue,
    error::Result,
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr,
        expressions::{BinaryExpr, CaseExpr, Literal},
        split_conjunction,
    },
    physical_expr_common::physical_expr::with_new_children_if_necessary,
};

use super::{fallible::can_fail, guarded::Guarded};

/// What an expression is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Rows for which it is null are left out, as are those for which it is false.
    Filter,
    /// Null and false are different values.
    Value,
}

/// The same expression, in which an operand that can fail is computed only for rows that the others leave open.
///
/// # Errors
/// `Internal`, should an expression refuse to be made again with other children.
pub(crate) fn guard(
    expression: &Arc<dyn PhysicalExpr>,
    schema: &Schema,
    role: Role,
) -> Result<Arc<dyn PhysicalExpr>> {
    if !can_fail(expression, schema) {
        return Ok(Arc::clone(expression));
    }
    if let Some(operator) = junction(expression) {
        let operands = operands(expression, operator);
        let operands = operands.iter().map(|operand| guard(operand, schema, role));
        let operands = operands.collect::<Result<Vec<_>>>()?;
        let guarded = Guarded::try_new(operator == Operator::And, operands, role == Role::Filter)?;
        return Ok(Arc::new(guarded));
    }
    if let Some(case) = expression.downcast_ref::<CaseExpr>()
        && case.expr().is_none()
    {
        return guard_case(case, schema);
    }
    if let Some(question) = asks_if_true(expression) {
        let condition = guard(question.left(), schema, Role::Filter)?;
        return Ok(Arc::new(BinaryExpr::new(condition, *question.op(), Arc::clone(question.right()))));
    }
    let children = expression.children().into_iter().map(|child| guard(child, schema, Role::Value));
    with_new_children_if_necessary(Arc::clone(expression), children.collect::<Result<_>>()?)
}

/// `IS TRUE` and `IS NOT TRUE`, as they are planned: null is no more true than false is.
fn asks_if_true(expression: &Arc<dyn PhysicalExpr>) -> Option<&BinaryExpr> {
    let binary = expression.downcast_ref::<BinaryExpr>()?;
    let literal = binary.right().downcast_ref::<Literal>()?;
    let compares = matches!(binary.op(), Operator::IsDistinctFrom | Operator::IsNotDistinctFrom);
    (compares && *literal.value() == ScalarValue::from(true)).then_some(binary)
}

/// The condition of a branch is a filter: null takes the next branch, as false does.
fn guard_case(case: &CaseExpr, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
    let value = |part: &Arc<dyn PhysicalExpr>| guard(part, schema, Role::Value);
    let branches = case.when_then_expr().iter();
    let branches = branches.map(|(when, then)| Ok((guard(when, schema, Role::Filter)?, value(then)?)));
    let otherwise = case.else_expr().map(value).transpose()?;
    Ok(Arc::new(CaseExpr::try_new(None, branches.collect::<Result<_>>()?, otherwise)?))
}

/// The conjuncts of a filter for a reader that applies them one after the other, each to the rows that are left: those that cannot
/// fail, then all others as one. `None` if none can fail, so that their order is free.
///
/// # Errors
/// As [`guard`].
pub(crate) fn surest_first(
    filter: &Arc<dyn PhysicalExpr>,
    schema: &Schema,
) -> Result<Option<Vec<Arc<dyn PhysicalExpr>>>> {
    let (fallible, mut ordered): (Vec<_>, Vec<_>) =
        split_conjunction(filter).into_iter().map(Arc::clone).partition(|part| can_fail(part, schema));
    if fallible.is_empty() {
        return Ok(None);
    }
    let fallible =
        fallible.iter().map(|part| guard(part, schema, Role::Filter)).collect::<Result<Vec<_>>>()?;
    ordered.push(Arc::new(Guarded::try_new(true, fallible, true)?));
    Ok(Some(ordered))
}

fn junction(expression: &Arc<dyn PhysicalExpr>) -> Option<Operator> {
    let operator = *expression.downcast_ref::<BinaryExpr>()?.op();
    matches!(operator, Operator::And | Operator::Or).then_some(operator)
}

/// The operands of a chain of one operator, in the order in which they were written.
fn operands(expression: &Arc<dyn PhysicalExpr>, operator: Operator) -> Vec<Arc<dyn PhysicalExpr>> {
    let (mut operands, mut open) = (vec![], vec![Arc::clone(expression)]);
    while let Some(part) = open.pop() {
        match part.downcast_ref::<BinaryExpr>() {
            Some(binary) if *binary.op() == operator => {
                open.push(Arc::clone(binary.right()));
                open.push(Arc::clone(binary.left()));
            }
            _ => operands.push(part),
        }
    }
    operands
}
