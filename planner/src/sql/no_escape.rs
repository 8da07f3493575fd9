//! `LIKE … ESCAPE ''`: no character is an escape, as PostgreSQL has it. DataFusion refuses it and knows the backslash alone, so that each
//! backslash of the pattern is written twice.

use std::mem;

use datafusion::{
    error::Result,
    sql::{
        parser::Statement,
        sqlparser::ast::{Expr, Value, ValueWithSpan},
    },
};

use super::{
    call::call,
    walk::{Change, change},
};

/// Rewrites the patterns of a statement that have no escape.
///
/// # Errors
/// None is expected.
pub(super) fn plan_no_escapes(statement: &mut Statement) -> Result<()> {
    change(statement, &mut NoEscapes)
}

struct NoEscapes;

impl Change for NoEscapes {
    fn expression(&mut self, expression: &mut Expr) -> Result<()> {
        if let Expr::Like { pattern, escape_char, .. }
        | Expr::ILike { pattern, escape_char, .. }
        | Expr::SimilarTo { pattern, escape_char, .. } = expression
            && escape_char.as_ref().is_some_and(|escape| is_empty(&escape.value))
        {
            *escape_char = None;
            let written = mem::replace(pattern.as_mut(), Expr::value(Value::Null));
            **pattern = with_backslashes_twice(written);
        }
        Ok(())
    }
}

fn is_empty(escape: &Value) -> bool {
    matches!(escape, Value::SingleQuotedString(text) if text.is_empty())
}

fn with_backslashes_twice(pattern: Expr) -> Expr {
    let text = |text: &str| Expr::value(Value::SingleQuotedString(text.to_owned()));
    match pattern {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(pattern), .. }) => {
            text(&pattern.replace('\\', "\\\\"))
        }
        pattern => call("replace", vec![pattern, text("\\"), text("\\\\")]),
    }
}
