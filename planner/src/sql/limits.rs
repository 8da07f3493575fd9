//! `SqlLimits`: refuses a text whose parsing or planning could take more stack or time than a query may.

use datafusion::{
    common::{plan_err, tree_node::TreeNodeRecursion},
    error::{DataFusionError, Result},
    logical_expr::LogicalPlan,
    sql::sqlparser::{
        dialect::Dialect,
        keywords::Keyword,
        parser::ParserError,
        tokenizer::{Token, TokenWithSpan, Tokenizer},
    },
};

use super::nesting::Nesting;
use crate::query::QueryOptions;

/// Types within types; the parser recurses on them without counting.
const TYPE_BRACKETS_MAX: usize = 16;

/// `EXPLAIN` is parsed by recursion that no parser limit counts.
const EXPLAINS_MAX: usize = 8;

/// Bounds of a SQL text.
#[derive(Debug, Clone)]
pub(crate) struct SqlLimits {
    bytes_max: usize,
    tokens_max: usize,
    /// Passed on to the parser, which counts its own recursion.
    pub(super) depth_max: usize,
    operators_max: usize,
    plan_nodes_max: usize,
    plan_joins_max: usize,
}

impl SqlLimits {
    pub(crate) fn of(options: &QueryOptions) -> Self {
        Self {
            bytes_max: options.sql_bytes_max,
            tokens_max: options.sql_tokens_max,
            depth_max: options.sql_depth_max,
            operators_max: options.sql_operators_max,
            plan_nodes_max: options.plan_nodes_max,
            plan_joins_max: options.plan_joins_max,
        }
    }

    /// Splits a text into tokens if it is within bounds.
    pub(super) fn tokens(&self, sql: &str, dialect: &dyn Dialect) -> Result<Vec<TokenWithSpan>> {
        at_most("bytes", sql.len(), self.bytes_max)?;
        let tokens = Tokenizer::new(dialect, sql)
            .tokenize_with_location()
            .map_err(|error| DataFusionError::from(ParserError::from(error)))?;
        let count = |wanted: fn(&Token) -> bool| tokens.iter().filter(|token| wanted(&token.token)).count();
        at_most("tokens", count(|token| !is_space(token)), self.tokens_max)?;
        at_most("times EXPLAIN", count(is_explain), EXPLAINS_MAX)?;
        let nesting = Nesting::of(&tokens);
        at_most("levels of brackets", nesting.brackets, self.depth_max)?;
        at_most("nested types", nesting.type_brackets, TYPE_BRACKETS_MAX)?;
        at_most("operators in one chain", nesting.operators, self.operators_max)?;
        Ok(tokens)
    }

    /// Refuses a plan that has grown beyond its text: a WITH query is planned again at each use.
    pub(super) fn check_plan(&self, plan: &LogicalPlan) -> Result<()> {
        let (mut nodes, mut joins) = (0, 0);
        plan.apply_with_subqueries(|node| {
            nodes += 1;
            joins += usize::from(matches!(node, LogicalPlan::Join(_)));
            let within = nodes <= self.plan_nodes_max && joins <= self.plan_joins_max;
            Ok(if within { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
        })?;
        at_most("joins", joins, self.plan_joins_max)?;
        at_most("plan nodes", nodes, self.plan_nodes_max)
    }
}

fn at_most(what: &str, found: usize, max: usize) -> Result<()> {
    if found > max {
        return plan_err!("the statement has {found} {what}; at most {max} are allowed");
    }
    Ok(())
}

/// White space and comments.
pub(super) fn is_space(token: &Token) -> bool {
    matches!(token, Token::Whitespace(_))
}

fn is_explain(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.keyword == Keyword::EXPLAIN)
}
