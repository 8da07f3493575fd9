//! `SqlLimits`: refuses a text whose parsing or planning could take more stack or time than a query may.

use datafusion::{
    common::{plan_err, tree_node::TreeNodeRecursion},
    error::{DataFusionError, Result},
    logical_expr::{Expr, GroupingSet, LogicalPlan},
    sql::sqlparser::{
        dialect::Dialect,
        keywords::Keyword,
        parser::ParserError,
        tokenizer::{Token, TokenWithSpan, Tokenizer},
    },
};

use super::nesting::Nesting;
use crate::options::QueryOptions;

/// Types within types; the parser recurses on them without counting.
const TYPE_BRACKETS_MAX: usize = 16;

/// Planning time doubles with each; documents are rarely a third as deep.
const JSON_OPERATORS_MAX: usize = 12;

/// Each doubles the expression.
const REWRITES_MAX: usize = 8;

/// Columns of CUBE: 1,024 grouping sets.
const CUBE_COLUMNS_MAX: usize = 10;

/// `EXPLAIN` is parsed by recursion that no parser limit counts.
const EXPLAINS_MAX: usize = 8;

/// Planning time grows with the square: 4,000 took a minute without optimisation.
const SET_OPERATIONS_MAX: usize = 500;

/// Bounds of a SQL text.
#[derive(Debug, Clone)]
pub(crate) struct SqlLimits {
    bytes_max: usize,
    tokens_max: usize,
    depth_max: usize,
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
        at_most("uses of EXPLAIN", count(is_explain), EXPLAINS_MAX)?;
        at_most("uses of UNION, INTERSECT and EXCEPT", count(is_set_operation), SET_OPERATIONS_MAX)?;
        let nesting = Nesting::of(&tokens);
        at_most("levels of brackets", nesting.brackets, self.depth_max)?;
        at_most("nested types", nesting.type_brackets, TYPE_BRACKETS_MAX)?;
        at_most("JSON operators in one chain", nesting.json_operators, JSON_OPERATORS_MAX)?;
        at_most("levels of BETWEEN or coalesce", nesting.rewrites, REWRITES_MAX)?;
        at_most("operators in one chain", nesting.operators, self.operators_max)?;
        Ok(tokens)
    }

    /// Refuses a statement that reads too many tables once its WITH queries are put in.
    pub(super) fn check_table_uses(&self, uses: usize) -> Result<()> {
        at_most("uses of tables", uses, self.plan_nodes_max)
    }

    /// Refuses a plan that has grown beyond its text: a WITH query is planned again at each use.
    pub(super) fn check_plan(&self, plan: &LogicalPlan) -> Result<()> {
        let (mut nodes, mut joins, mut cube_columns) = (0, 0, 0);
        plan.apply_with_subqueries(|node| {
            nodes += 1;
            joins += usize::from(matches!(node, LogicalPlan::Join(_)));
            cube_columns = cube_columns.max(cube_columns_of(node));
            let within = nodes <= self.plan_nodes_max && joins <= self.plan_joins_max;
            Ok(if within { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
        })?;
        at_most("columns in CUBE", cube_columns, CUBE_COLUMNS_MAX)?;
        at_most("joins", joins, self.plan_joins_max)?;
        at_most("plan nodes", nodes, self.plan_nodes_max)
    }
}

/// Several CUBEs of one GROUP BY multiply.
fn cube_columns_of(node: &LogicalPlan) -> usize {
    let LogicalPlan::Aggregate(aggregate) = node else { return 0 };
    let cubes = aggregate.group_expr.iter().map(|expr| match expr {
        Expr::GroupingSet(GroupingSet::Cube(columns)) => columns.len(),
        _ => 0,
    });
    cubes.sum()
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

fn is_set_operation(token: &Token) -> bool {
    let is_one = |keyword| matches!(keyword, Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT);
    matches!(token, Token::Word(word) if is_one(word.keyword))
}
