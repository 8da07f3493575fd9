//! `->` where its value goes into a function, a CASE or a set operation: there DataFusion asks for its type before the analyzer has made text
//! of it. Written as `json_get_json` it is text from the start. Only what has failed comes here.

use std::mem;

use datafusion::{
    error::Result,
    sql::{
        parser::{DFParserBuilder, Statement},
        sqlparser::ast::{
            BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Select, SelectItem,
            Value,
        },
    },
};

use super::{
    dialect::HexflightDialect,
    walk::{Change, change},
};

/// Writes `->` as a function wherever it is an operand.
///
/// # Errors
/// Propagates the parser's errors; none is expected for a text of ours.
pub(super) fn call_for_json(statement: &mut Statement) -> Result<()> {
    let text = "json_get_json(NULL, NULL)";
    let mut parser = DFParserBuilder::new(text).with_dialect(&HexflightDialect).build()?;
    change(statement, &mut Calls { call: parser.parser.parse_expr()? })
}

struct Calls {
    call: Expr,
}

impl Change for Calls {
    /// A column keeps the name that the operator gives it.
    fn select(&mut self, select: &mut Select) -> Result<()> {
        for item in &mut select.projection {
            match item {
                SelectItem::UnnamedExpr(expression) if is_json(expression) => {
                    let alias = Ident::with_quote('"', expression.to_string());
                    self.replace(expression);
                    let expr = mem::replace(expression, Expr::value(Value::Null));
                    *item = SelectItem::ExprWithAlias { expr, alias };
                }
                SelectItem::ExprWithAlias { expr, .. } => self.replace(expr),
                _ => {}
            }
        }
        Ok(())
    }

    fn expression(&mut self, expression: &mut Expr) -> Result<()> {
        match expression {
            Expr::Function(function) => {
                if let FunctionArguments::List(list) = &mut function.args {
                    for argument in &mut list.args {
                        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) = argument {
                            self.replace(argument);
                        }
                    }
                }
            }
            Expr::Case { conditions, else_result, .. } => {
                conditions.iter_mut().for_each(|condition| self.replace(&mut condition.result));
                else_result.iter_mut().for_each(|result| self.replace(result));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Calls {
    fn replace(&self, expression: &mut Expr) {
        let Expr::BinaryOp { left, op, right } = expression else { return };
        if !is_get(op) {
            return;
        }
        let operand = |side: &mut Expr| {
            let side = mem::replace(side, Expr::value(Value::Null));
            FunctionArg::Unnamed(FunctionArgExpr::Expr(side))
        };
        let arguments = vec![operand(left), operand(right)];
        let mut call = self.call.clone();
        if let Expr::Function(function) = &mut call
            && let FunctionArguments::List(list) = &mut function.args
        {
            list.args = arguments;
        }
        *expression = call;
    }
}

fn is_json(expression: &Expr) -> bool {
    matches!(expression, Expr::BinaryOp { op, .. } if is_get(op))
}

fn is_get(operator: &BinaryOperator) -> bool {
    matches!(operator, BinaryOperator::Arrow | BinaryOperator::HashArrow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_become_calls_and_comparisons_stay() {
        let sql = "SELECT lower(m->'a'), m->'b' FROM t WHERE m->'c' < 3";
        let mut parser = DFParserBuilder::new(sql).with_dialect(&HexflightDialect).build().unwrap();
        let mut statement = parser.parse_statement().unwrap();
        call_for_json(&mut statement).unwrap();
        let expected = r#"SELECT lower(json_get_json(m, 'a')), json_get_json(m, 'b') AS "m -> 'b'" FROM t WHERE m -> 'c' < 3"#;
        assert_eq!(statement.to_string(), expected);
    }
}
