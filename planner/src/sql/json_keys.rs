//! Keys of JSON that are parameters: `metadata->>$1` becomes `metadata->>json_key($1)`. `datafusion-functions-json` asks for the type of a
//! key while a statement is planned, when a parameter has none, and refuses it.

use std::mem;

use datafusion::{
    error::Result,
    sql::{
        parser::Statement,
        sqlparser::ast::{
            BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Select,
            SelectItem, Value, ValueWithSpan,
        },
    },
};

use super::{
    call::call,
    walk::{Change, change},
};
use crate::functions::JSON_KEY;

/// Rewrites the keys of a statement that are parameters.
///
/// # Errors
/// None is expected.
pub(super) fn plan_json_keys(statement: &mut Statement) -> Result<()> {
    change(statement, &mut JsonKeys)
}

struct JsonKeys;

impl Change for JsonKeys {
    /// A column keeps the name that it has with the parameter.
    fn select(&mut self, select: &mut Select) -> Result<()> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expression @ Expr::BinaryOp { .. }) = item
                && key_of(expression).is_some()
            {
                let alias = Ident::with_quote('"', expression.to_string());
                let expr = mem::replace(expression, Expr::value(Value::Null));
                *item = SelectItem::ExprWithAlias { expr, alias };
            }
        }
        Ok(())
    }

    fn expression(&mut self, expression: &mut Expr) -> Result<()> {
        if let Some(key) = key_of(expression) {
            name_key(key);
        } else if let Expr::Function(function) = expression {
            arguments(function).skip(1).filter(|argument| is_parameter(argument)).for_each(name_key);
        }
        Ok(())
    }
}

/// The right side of `->`, `->>` and `?` where that is a parameter.
fn key_of(expression: &mut Expr) -> Option<&mut Expr> {
    use BinaryOperator::{Arrow, LongArrow, Question};
    let Expr::BinaryOp { op, right, .. } = expression else { return None };
    (matches!(op, Arrow | LongArrow | Question) && is_parameter(right)).then_some(right)
}

/// What a JSON function is called with.
fn arguments(function: &mut Function) -> impl Iterator<Item = &mut Expr> {
    let name = function.name.to_string().to_ascii_lowercase();
    let is_json = name.starts_with("json_") && name != JSON_KEY;
    let list = match &mut function.args {
        FunctionArguments::List(list) if is_json => Some(&mut list.args),
        _ => None,
    };
    list.into_iter().flatten().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => Some(argument),
        _ => None,
    })
}

fn is_parameter(expression: &Expr) -> bool {
    matches!(expression, Expr::Value(ValueWithSpan { value: Value::Placeholder(_), .. }))
}

fn name_key(key: &mut Expr) {
    let parameter = mem::replace(key, Expr::value(Value::Null));
    *key = call(JSON_KEY, vec![parameter]);
}

#[cfg(test)]
mod tests {
    use datafusion::sql::parser::DFParserBuilder;

    use super::*;
    use crate::sql::dialect::HexflightDialect;

    #[test]
    fn keys_that_are_parameters_are_named() {
        let sql = "SELECT m ->> $1, m -> 'a' ->> $2 AS b, json_get_str(m, $3) FROM t WHERE m -> 'n' < $4 AND m ? $5";
        let mut parser = DFParserBuilder::new(sql).with_dialect(&HexflightDialect).build().unwrap();
        let mut statement = parser.parse_statement().unwrap();
        plan_json_keys(&mut statement).unwrap();
        let expected = r#"SELECT m ->> json_key($1) AS "m ->> $1", m -> 'a' ->> json_key($2) AS b, json_get_str(m, json_key($3)) FROM t WHERE m -> 'n' < $4 AND m ? json_key($5)"#;
        assert_eq!(statement.to_string(), expected);
    }
}
