//! Which statements may run: those that only read. Everything else is refused by name before it is planned.

use super::limits::is_space;
use datafusion::{
    common::plan_err,
    error::Result,
    sql::{
        parser::Statement,
        sqlparser::{
            ast::Statement as SqlStatement,
            keywords::Keyword,
            tokenizer::{Token, TokenWithSpan},
        },
    },
};

/// `Ok` for SELECT (with WITH, VALUES), EXPLAIN of it, SHOW and DESCRIBE. `name` is what an error calls the statement.
pub(super) fn check_allowed(statement: &Statement, name: &str) -> Result<()> {
    match statement {
        Statement::Explain(explain) => check_allowed(&explain.statement, name),
        Statement::Statement(inner) if reads_only(inner) => Ok(()),
        _ => plan_err!("{name} is not allowed; allowed are SELECT, EXPLAIN, SHOW and DESCRIBE"),
    }
}

fn reads_only(statement: &SqlStatement) -> bool {
    matches!(
        statement,
        SqlStatement::Query(_)
            | SqlStatement::ExplainTable { .. }
            | SqlStatement::ShowColumns { .. }
            | SqlStatement::ShowCreate { .. }
            | SqlStatement::ShowFunctions { .. }
            | SqlStatement::ShowTables { .. }
            | SqlStatement::ShowVariable { .. }
            | SqlStatement::ShowVariables { .. }
    )
}

/// The first word that says what a statement does, in capitals.
pub(super) fn statement_name(tokens: &[TokenWithSpan]) -> String {
    tokens
        .iter()
        .find_map(|token| match &token.token {
            Token::Word(word) if !only_explains(word.keyword) => Some(word.value.to_uppercase()),
            _ => None,
        })
        .unwrap_or_else(|| "the statement".to_owned())
}

/// `FROM a ASOF JOIN b` would be a join of a table that is called asof.
///
/// # Errors
/// `Plan` for ASOF JOIN.
pub(super) fn refuse_asof(tokens: &[TokenWithSpan]) -> Result<()> {
    let words = tokens.iter().filter(|token| !is_space(&token.token));
    let mut after_asof = false;
    for token in words {
        let Token::Word(word) = &token.token else {
            after_asof = false;
            continue;
        };
        if after_asof && word.keyword == Keyword::JOIN {
            return plan_err!("{NO_ASOF}");
        }
        after_asof = word.keyword == Keyword::ASOF || (after_asof && word.keyword == Keyword::LEFT);
    }
    Ok(())
}

const NO_ASOF: &str = "ASOF JOIN is not supported; write a LEFT JOIN on a.device_id = b.device_id AND b.timestamp <= a.timestamp, number its rows with row_number() OVER (PARTITION BY a.device_id, a.timestamp ORDER BY b.timestamp DESC) in a subquery, and keep number 1";

fn only_explains(keyword: Keyword) -> bool {
    matches!(keyword, Keyword::EXPLAIN | Keyword::ANALYZE | Keyword::VERBOSE)
}
