//! Tests of [`super::number_placeholders`]: which `?` is a parameter.

use datafusion::sql::sqlparser::{
    dialect::PostgreSqlDialect,
    tokenizer::{Token, Tokenizer},
};

use super::number_placeholders;

#[test]
fn parameters_are_numbered_from_left_to_right() {
    assert_eq!(numbered("SELECT ? WHERE a = ? AND b IN (?, ?)"), "SELECT $1 WHERE a = $2 AND b IN ($3, $4)");
}

#[test]
fn parameters_may_touch_an_operator() {
    assert_eq!(numbered("a=? AND b>? AND c<=?"), "a=$1 AND b>$2 AND c<=$3");
    assert_eq!(numbered("a->? AND b->>?"), "a->$1 AND b->>$2");
    assert_eq!(numbered("SELECT ?||'x', ?-1, a||?"), "SELECT $1||'x', $2-1, a||$3");
    assert_eq!(numbered("SELECT ?::int"), "SELECT $1::int");
    assert_eq!(numbered("timestamp AT TIME ZONE ?"), "timestamp AT TIME ZONE $1");
}

#[test]
fn signs_leave_the_operator_before_them() {
    for text in ["a>-1", "a>=-1", "a<>-1", "a>+0", "a->-1", "a%-2", "a||-1", "a>-?"] {
        let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location().unwrap();
        let apart = number_placeholders(tokens, &PostgreSqlDialect {}).unwrap();
        let is_custom = |token: &Token| matches!(token, Token::CustomBinaryOperator(_));
        assert!(!apart.iter().any(|token| is_custom(&token.token)), "{text}: {apart:?}");
    }
}

#[test]
fn strings_names_and_comments_are_left_alone() {
    let sql = "SELECT '?', \"?\", E'\\'?', $$?$$ -- ?\n /* ? /* ? */ */ FROM t";
    assert_eq!(
        numbered(&format!("{sql} WHERE a = ?")),
        format!("{sql} WHERE a = $1").replace("E'\\'?'", "E'\\'?'")
    );
}

#[test]
fn question_mark_after_an_operand_is_the_json_operator() {
    assert_eq!(numbered("metadata ? 'a'"), "metadata ? 'a'");
    assert_eq!(numbered("metadata ? ?"), "metadata ? $1");
    assert_eq!(numbered("metadata->'x' ? 'a' AND b = ?"), "metadata->'x' ? 'a' AND b = $1");
    assert_eq!(numbered("(metadata) ? ? OR \"select\" ? 'b'"), "(metadata) ? $1 OR \"select\" ? 'b'");
    assert_eq!(numbered("WHERE timestamp > ? AND type ? 'x'"), "WHERE timestamp > $1 AND type ? 'x'");
}

#[test]
fn two_ways_to_write_parameters_do_not_mix() {
    let error = try_numbered("SELECT ? + $1").unwrap_err().to_string();
    assert!(error.contains("either as ? or as $1"), "{error}");
    assert_eq!(numbered("SELECT $2, $1"), "SELECT $2, $1");
}

fn numbered(sql: &str) -> String {
    try_numbered(sql).unwrap()
}

fn try_numbered(sql: &str) -> datafusion::error::Result<String> {
    let dialect = PostgreSqlDialect {};
    let tokens = Tokenizer::new(&dialect, sql).tokenize_with_location().unwrap();
    let numbered = number_placeholders(tokens, &dialect)?;
    Ok(numbered.iter().map(|token| text(&token.token)).collect())
}

fn text(token: &Token) -> String {
    match token {
        Token::EscapedStringLiteral(value) => format!("E'{}'", value.replace('\'', "\\'")),
        other => other.to_string(),
    }
}
