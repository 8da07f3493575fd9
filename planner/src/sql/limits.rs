//! `SqlLimits`: refuses a text whose parsing or planning could take more stack or time than a query may.

use datafusion::{
    common::plan_err,
    error::{DataFusionError, Result},
    sql::sqlparser::{
        dialect::Dialect,
        keywords::Keyword,
        parser::ParserError,
        tokenizer::{Token, TokenWithSpan, Tokenizer},
    },
};

use crate::query::QueryOptions;

/// `EXPLAIN` is parsed by recursion that no parser limit counts.
const EXPLAINS_MAX: usize = 8;

/// Bounds of a SQL text.
#[derive(Debug, Clone)]
pub(crate) struct SqlLimits {
    bytes_max: usize,
    tokens_max: usize,
    /// Passed on to the parser, which counts its own recursion.
    pub(super) depth_max: usize,
}

impl SqlLimits {
    pub(crate) fn of(options: &QueryOptions) -> Self {
        Self {
            bytes_max: options.sql_bytes_max,
            tokens_max: options.sql_tokens_max,
            depth_max: options.sql_depth_max,
        }
    }

    /// Splits a text into tokens if it is within bounds.
    pub(super) fn tokens(&self, sql: &str, dialect: &dyn Dialect) -> Result<Vec<TokenWithSpan>> {
        if sql.len() > self.bytes_max {
            return plan_err!(
                "the statement is {} bytes long; at most {} are allowed",
                sql.len(),
                self.bytes_max
            );
        }
        let tokens = Tokenizer::new(dialect, sql)
            .tokenize_with_location()
            .map_err(|error| DataFusionError::from(ParserError::from(error)))?;
        let token_count = tokens.iter().filter(|token| !is_space(&token.token)).count();
        if token_count > self.tokens_max {
            return plan_err!(
                "the statement has {token_count} tokens; at most {} are allowed",
                self.tokens_max
            );
        }
        let explain_count = tokens.iter().filter(|token| is_explain(&token.token)).count();
        if explain_count > EXPLAINS_MAX {
            return plan_err!(
                "the statement says EXPLAIN {explain_count} times; at most {EXPLAINS_MAX} are allowed"
            );
        }
        Ok(tokens)
    }
}

/// White space and comments.
pub(super) fn is_space(token: &Token) -> bool {
    matches!(token, Token::Whitespace(_))
}

fn is_explain(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.keyword == Keyword::EXPLAIN)
}
