//! `FROM generate_series((SELECT min(timestamp) FROM events), now(), INTERVAL '1 hour')`: DataFusion calls a table function while it plans,
//! and then a subquery has no value yet. Such a series is written as the list of its values, `SELECT unnest(generate_series(…))`.

use datafusion::{
    error::Result,
    sql::{
        parser::{DFParserBuilder, Statement},
        sqlparser::ast::{Expr, FunctionArg, SetExpr, TableAlias, TableFactor},
    },
};

use super::{
    dialect::HexflightDialect,
    series::is_interval,
    walk::{Change, any_expression, change},
};

/// Names of table functions that give the values of a list.
pub(super) const SERIES: [&str; 2] = ["generate_series", "range"];

/// Writes series with subqueries among their arguments as lists.
///
/// # Errors
/// Propagates the parser's errors; none is expected for a text of ours.
pub(super) fn list_series(statement: &mut Statement) -> Result<()> {
    change(statement, &mut Series)
}

struct Series;

impl Change for Series {
    fn table_factor(&mut self, table: &mut TableFactor) -> Result<()> {
        let (name, arguments, alias) = match table {
            TableFactor::Table { name, args: Some(function), alias, .. } => (name, &mut function.args, alias),
            TableFactor::Function { name, args, alias, .. } => (name, args, alias),
            _ => return Ok(()),
        };
        let name = name.to_string().to_lowercase();
        if !SERIES.contains(&name.as_str()) || !arguments.iter().any(has_subquery) {
            return Ok(());
        }
        if let Some(list) = list(&name, arguments, alias.take())? {
            *table = list;
        }
        Ok(())
    }
}

fn has_subquery(argument: &FunctionArg) -> bool {
    any_expression(argument, &mut |part| matches!(part, Expr::Subquery(_)))
}

/// The derived table, called as the table function is.
fn list(name: &str, arguments: &[FunctionArg], alias: Option<TableAlias>) -> Result<Option<TableFactor>> {
    let arguments = written(arguments).join(", ");
    let text = format!("SELECT 1 FROM (SELECT unnest({name}({arguments})) AS value) AS \"{name}()\"");
    let mut parser = DFParserBuilder::new(text.as_str()).with_dialect(&HexflightDialect).build()?;
    let SetExpr::Select(mut select) = *parser.parser.parse_query()?.body else { return Ok(None) };
    let mut table = select.from.pop().map(|table| table.relation);
    if let (Some(TableFactor::Derived { alias: own, .. }), Some(alias)) = (&mut table, alias) {
        *own = Some(alias);
    }
    Ok(table)
}

/// The arguments; between moments, so that dates, texts and parameters become some: dates have no hours, the others no type.
fn written(arguments: &[FunctionArg]) -> Vec<String> {
    let of_time = arguments.get(2).is_some_and(is_interval);
    let bound = |argument: &FunctionArg| {
        let text = argument.to_string();
        if text.starts_with(['\'', '$']) {
            format!("CAST({text} AS TIMESTAMPTZ)")
        } else {
            format!("({text}) + INTERVAL '0 days'")
        }
    };
    arguments
        .iter()
        .enumerate()
        .map(|(index, argument)| if of_time && index < 2 { bound(argument) } else { argument.to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_series_with_subqueries_are_listed() {
        for (sql, expected) in [
            (
                "SELECT * FROM generate_series(1, (SELECT 2)) AS g(n)",
                "SELECT * FROM (SELECT unnest(generate_series(1, (SELECT 2))) AS value) AS g (n)",
            ),
            (
                "SELECT * FROM range('2024-01-01', (SELECT t FROM e), INTERVAL '1 day')",
                "SELECT * FROM (SELECT unnest(range(CAST('2024-01-01' AS TIMESTAMPTZ), ((SELECT t FROM e)) + INTERVAL '0 days', INTERVAL '1 day')) AS value) AS \"range()\"",
            ),
            ("SELECT * FROM generate_series(1, 2)", "SELECT * FROM generate_series(1, 2)"),
        ] {
            let mut parser = DFParserBuilder::new(sql).with_dialect(&HexflightDialect).build().unwrap();
            let mut statement = parser.parse_statement().unwrap();
            list_series(&mut statement).unwrap();
            assert_eq!(statement.to_string(), expected);
        }
    }
}
