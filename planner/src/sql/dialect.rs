//! `HexflightDialect`: PostgreSQL's SQL, with three rules of precedence. `->` and its kin bind tighter than `||`, so that
//! `device_id || '.' || metadata->>'site'` is text and no look-up in text. `x IS DISTINCT FROM y AND z` ends at AND, which
//! sqlparser 0.62 takes into the comparison. `-2 ^ 2` is 4, as in PostgreSQL: a sign binds tighter than a power.

use std::any::TypeId;

use datafusion::sql::sqlparser::{
    ast::{Expr, UnaryOperator},
    dialect::{Dialect, PostgreSqlDialect, Precedence},
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::Token,
};

/// What statements are parsed with.
#[derive(Debug)]
pub(super) struct HexflightDialect;

const POSTGRESQL: PostgreSqlDialect = PostgreSqlDialect {};

/// Above COLLATE, below a subscript and `::`.
const SIGN_ABOVE_AT_TZ: u8 = 15;

/// One method per line that answers as PostgreSQL's dialect does.
macro_rules! as_postgresql {
    ($($method:ident)*) => { $(fn $method(&self) -> bool { POSTGRESQL.$method() })* };
}

impl Dialect for HexflightDialect {
    /// The parser asks for this where it has no method.
    fn dialect(&self) -> TypeId {
        TypeId::of::<PostgreSqlDialect>()
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        match parser.peek_token_ref().token {
            Token::Arrow | Token::LongArrow | Token::HashArrow | Token::HashLongArrow => {
                Some(Ok(self.prec_value(Precedence::PgOther) + 1))
            }
            _ => POSTGRESQL.get_next_precedence(parser),
        }
    }

    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        let op = match parser.peek_token_ref().token {
            Token::Minus => UnaryOperator::Minus,
            Token::Plus => UnaryOperator::Plus,
            _ => return None,
        };
        parser.advance_token();
        let operand = parser.parse_subexpr(self.prec_value(Precedence::AtTz) + SIGN_ABOVE_AT_TZ);
        Some(operand.map(|operand| Expr::UnaryOp { op, expr: Box::new(operand) }))
    }

    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        left: &Expr,
        _precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        let is = |at: usize, keyword: Keyword| matches!(&parser.peek_nth_token_ref(at).token, Token::Word(word) if word.keyword == keyword);
        if !is(0, Keyword::IS) {
            return None;
        }
        let negated = is(1, Keyword::NOT);
        let at = if negated { 2 } else { 1 };
        if !is(at, Keyword::DISTINCT) || !is(at + 1, Keyword::FROM) {
            return None;
        }
        for _ in 0..at + 2 {
            parser.advance_token();
        }
        let left = Box::new(left.clone());
        Some(parser.parse_subexpr(self.prec_value(Precedence::Is)).map(|right| {
            let right = Box::new(right);
            if negated { Expr::IsNotDistinctFrom(left, right) } else { Expr::IsDistinctFrom(left, right) }
        }))
    }

    /// `SELECT * EXCEPT (…)`, as other databases have it.
    fn supports_select_wildcard_except(&self) -> bool {
        true
    }

    /// `SELECT * EXCLUDE (…)`.
    fn supports_select_wildcard_exclude(&self) -> bool {
        true
    }

    /// `SELECT * REPLACE (… AS …)`.
    fn supports_select_wildcard_replace(&self) -> bool {
        true
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        POSTGRESQL.prec_value(precedence)
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        POSTGRESQL.identifier_quote_style(identifier)
    }

    fn is_delimited_identifier_start(&self, character: char) -> bool {
        POSTGRESQL.is_delimited_identifier_start(character)
    }

    fn is_identifier_start(&self, character: char) -> bool {
        POSTGRESQL.is_identifier_start(character)
    }

    fn is_identifier_part(&self, character: char) -> bool {
        POSTGRESQL.is_identifier_part(character)
    }

    fn is_custom_operator_part(&self, character: char) -> bool {
        POSTGRESQL.is_custom_operator_part(character)
    }

    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        POSTGRESQL.is_reserved_for_identifier(keyword)
    }

    as_postgresql! {
        allow_extract_custom
        allow_extract_single_quotes
        supports_alter_column_type_using
        supports_array_typedef_with_brackets
        supports_bitwise_shift_operators
        supports_comma_separated_trim
        supports_comment_on
        supports_comment_optimizer_hint
        supports_create_index_with_clause
        supports_create_table_like_parenthesized
        supports_empty_projections
        supports_explain_with_utility_options
        supports_factorial_operator
        supports_filter_during_aggregation
        supports_geometric_types
        supports_group_by_expr
        supports_insert_table_alias
        supports_interval_options
        supports_listen_notify
        supports_load_extension
        supports_named_fn_args_with_colon_operator
        supports_named_fn_args_with_expr_name
        supports_nested_comments
        supports_notnull_operator
        supports_numeric_literal_underscores
        supports_select_wildcard_with_alias
        supports_set_names
        supports_string_escape_constant
        supports_unicode_string_literal
        supports_xml_expressions
    }
}
