//! `(a, b) IN (SELECT …)`: DataFusion compares one column with a subquery. Here a row is looked for by EXISTS, whose conditions compare
//! column by column. A comparison with null is unknown: where a condition only asks whether the answer is true, one EXISTS tells; elsewhere
//! a second one tells unknown from false.

use datafusion::{
    common::plan_err,
    error::Result,
    sql::{
        parser::{DFParserBuilder, Statement},
        sqlparser::ast::{BinaryOperator, Expr, Query, Select, SetExpr},
    },
};

use super::{
    dialect::HexflightDialect,
    walk::{Change, change},
};

/// Rewrites each row that is looked for in a subquery.
///
/// # Errors
/// `Plan` when the row and the subquery have different numbers of columns.
pub(super) fn look_for_rows(statement: &mut Statement) -> Result<()> {
    change(statement, &mut Rows)
}

struct Rows;

impl Change for Rows {
    fn select(&mut self, select: &mut Select) -> Result<()> {
        for condition in [&mut select.selection, &mut select.having].into_iter().flatten() {
            each_conjunct(condition)?;
        }
        Ok(())
    }

    fn expression(&mut self, expression: &mut Expr) -> Result<()> {
        rewrite(expression, Asked::Truth)
    }
}

/// What is asked of a membership.
#[derive(Clone, Copy)]
enum Asked {
    /// Whether it is true.
    IsTrue,
    /// Whether it is true, false or unknown.
    Truth,
}

/// A condition keeps a row if each of its conjuncts is true.
fn each_conjunct(condition: &mut Expr) -> Result<()> {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            each_conjunct(left)?;
            each_conjunct(right)
        }
        Expr::Nested(inner) => each_conjunct(inner),
        other => rewrite(other, Asked::IsTrue),
    }
}

fn rewrite(expression: &mut Expr, asked: Asked) -> Result<()> {
    let Expr::InSubquery { expr, subquery, negated } = expression else { return Ok(()) };
    let Expr::Tuple(row) = expr.as_ref() else { return Ok(()) };
    *expression = membership(row, subquery, *negated, asked)?;
    Ok(())
}

fn membership(row: &[Expr], subquery: &Query, negated: bool, asked: Asked) -> Result<Expr> {
    if let Some(found) = column_count(subquery)
        && found != row.len()
    {
        return plan_err!("a row of {} columns is looked for in a subquery that has {found}", row.len());
    }
    let (is_there, may_be_there) = (exists(row, subquery, ""), exists(row, subquery, " IS NOT FALSE"));
    let text = match (asked, negated) {
        (Asked::IsTrue, false) => is_there,
        (Asked::IsTrue, true) => format!("NOT {may_be_there}"),
        (Asked::Truth, _) => {
            let found = !negated;
            format!("CASE WHEN {is_there} THEN {found} WHEN {may_be_there} THEN NULL ELSE {negated} END")
        }
    };
    let mut parser = DFParserBuilder::new(text.as_str()).with_dialect(&HexflightDialect).build()?;
    Ok(parser.parser.parse_expr()?)
}

/// Whether there is a row of which each column compares so. The names are ours, so that no column of the row is taken for one of the
/// subquery.
fn exists(row: &[Expr], subquery: &Query, compares: &str) -> String {
    let names: Vec<_> = (0..row.len()).map(|number| format!("__sought_{number}")).collect();
    let equal = row.iter().zip(&names).map(|(column, name)| format!("(__row.{name} = ({column})){compares}"));
    let equal = equal.collect::<Vec<_>>().join(" AND ");
    let names = names.join(", ");
    format!("EXISTS (SELECT 1 FROM ({subquery}) AS __row ({names}) WHERE {equal})")
}

/// How many columns a SELECT lists; unknown with a `*`.
fn column_count(query: &Query) -> Option<usize> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let is_known = !select.projection.iter().any(|item| item.to_string().contains('*'));
    is_known.then_some(select.projection.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_looked_for_column_by_column() {
        let found = rewritten("SELECT 1 FROM t WHERE (a, b) IN (SELECT x, y FROM u)").unwrap();
        let expected = "SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM (SELECT x, y FROM u) AS __row (__sought_0, __sought_1) WHERE (__row.__sought_0 = (a)) AND (__row.__sought_1 = (b)))";
        assert_eq!(found, expected);
        let found = rewritten("SELECT 1 FROM t WHERE (a, b) NOT IN (SELECT x, y FROM u)").unwrap();
        assert!(found.contains("NOT EXISTS") && found.contains("IS NOT FALSE"), "{found}");
        let found = rewritten("SELECT NOT ((a, b) IN (SELECT x, y FROM u))").unwrap();
        assert!(
            found.starts_with("SELECT NOT (CASE WHEN EXISTS") && found.ends_with("ELSE false END)"),
            "{found}"
        );
    }

    #[test]
    fn other_lists_stay() {
        for sql in ["SELECT 1 WHERE a IN (SELECT x FROM u)", "SELECT 1 WHERE (a, b) IN ((1, 2))"] {
            assert_eq!(rewritten(sql).unwrap(), sql);
        }
        let error = rewritten("SELECT 1 WHERE (a, b) IN (SELECT x FROM u)").unwrap_err();
        assert!(error.to_string().contains("a row of 2 columns"), "{error}");
    }

    fn rewritten(sql: &str) -> Result<String> {
        let mut parser = DFParserBuilder::new(sql).with_dialect(&HexflightDialect).build()?;
        let mut statement = parser.parse_statement()?;
        look_for_rows(&mut statement)?;
        Ok(statement.to_string())
    }
}
