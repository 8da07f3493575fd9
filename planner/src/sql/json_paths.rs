//! Reads the paths of `#>` and `#>>` as PostgreSQL writes them: `metadata #>> '{a,0,b}'` becomes `metadata -> 'a' -> 0 ->> 'b'`. Left
//! alone, the path would be one key of that name, which no object has.

use datafusion::{
    error::Result,
    sql::{
        parser::Statement,
        sqlparser::ast::{BinaryOperator, Expr, Value, ValueWithSpan},
    },
};

use super::walk::{Change, change};

/// Rewrites the constant paths of a statement.
///
/// # Errors
/// None is expected.
pub(super) fn plan_json_paths(statement: &mut Statement) -> Result<()> {
    change(statement, &mut JsonPaths)
}

struct JsonPaths;

impl Change for JsonPaths {
    fn expression(&mut self, expression: &mut Expr) -> Result<()> {
        if let Some(chain) = chain(expression) {
            *expression = chain;
        }
        Ok(())
    }
}

fn chain(expression: &Expr) -> Option<Expr> {
    let Expr::BinaryOp { left, op, right } = expression else { return None };
    let last = match op {
        BinaryOperator::HashArrow => BinaryOperator::Arrow,
        BinaryOperator::HashLongArrow => BinaryOperator::LongArrow,
        _ => return None,
    };
    let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(path), .. }) = right.as_ref() else {
        return None;
    };
    let steps = path.trim().strip_prefix('{')?.strip_suffix('}')?;
    let steps: Vec<&str> = steps.split(',').map(str::trim).collect();
    let count = steps.len();
    let chained = steps.into_iter().enumerate().fold(left.as_ref().clone(), |value, (index, step)| {
        let op = if index + 1 == count { last.clone() } else { BinaryOperator::Arrow };
        Expr::BinaryOp { left: Box::new(value), op, right: Box::new(Expr::Value(key(step).into())) }
    });
    Some(chained)
}

/// A number is a place in an array.
fn key(step: &str) -> Value {
    if !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()) {
        return Value::Number(step.to_owned(), false);
    }
    let unquoted = step.strip_prefix('"').and_then(|step| step.strip_suffix('"')).unwrap_or(step);
    Value::SingleQuotedString(unquoted.to_owned())
}
