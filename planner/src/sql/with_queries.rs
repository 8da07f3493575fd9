//! WITH queries that may give columns of one name. DataFusion renames the second, `value:1`, and takes the first for both; written as a
//! derived table, `SELECT * FROM (…)`, their columns are named apart by [`DerivedColumns`](super::DerivedColumns).

use std::{collections::HashSet, mem};

use datafusion::{
    error::Result,
    sql::{
        parser::{DFParserBuilder, Statement},
        sqlparser::ast::{Cte, Query, SetExpr, TableFactor},
    },
};

use super::{
    dialect::HexflightDialect,
    distinct_names::{is_wildcard, key},
    walk::{Change, change},
};

/// Writes such queries as derived tables.
///
/// # Errors
/// Propagates the parser's errors; none is expected for a text of ours.
pub(super) fn derive_with_queries(statement: &mut Statement) -> Result<()> {
    change(statement, &mut WithQueries)
}

struct WithQueries;

impl Change for WithQueries {
    fn query(&mut self, query: &mut Query) -> Result<()> {
        let with = query.with.iter_mut().filter(|with| !with.recursive);
        for table in with.flat_map(|with| &mut with.cte_tables).filter(|table| has_twins(&table.query)) {
            derive(table)?;
        }
        Ok(())
    }
}

/// Whether two columns may have one name: two that are written alike, or all of several tables.
fn has_twins(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    let is_join = select.from.len() > 1 || select.from.iter().any(|table| !table.joins.is_empty());
    let mut seen = HashSet::new();
    let mut keys = select.projection.iter().filter_map(key);
    (is_join && select.projection.iter().any(is_wildcard)) || !keys.all(|key| seen.insert(key))
}

fn derive(table: &mut Cte) -> Result<()> {
    let text = "SELECT * FROM (SELECT 1) AS named";
    let mut parser = DFParserBuilder::new(text).with_dialect(&HexflightDialect).build()?;
    let mut outer = *parser.parser.parse_query()?;
    if let SetExpr::Select(select) = outer.body.as_mut()
        && let Some(TableFactor::Derived { subquery, .. }) =
            select.from.first_mut().map(|table| &mut table.relation)
    {
        mem::swap(subquery.as_mut(), table.query.as_mut());
        *table.query = outer;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_that_may_have_twins_become_derived_tables() {
        for (sql, derived) in [
            ("WITH t AS (SELECT * FROM a, b) SELECT c FROM t", "SELECT * FROM (SELECT * FROM a, b) AS named"),
            ("WITH t AS (SELECT a.x, b.x FROM a, b) SELECT 1", "(SELECT a.x, b.x FROM a, b) AS named"),
        ] {
            assert!(rewritten(sql).contains(derived), "{sql}");
        }
        for sql in
            ["WITH t AS (SELECT * FROM a) SELECT c FROM t", "WITH t AS (SELECT x, y FROM a, b) SELECT 1"]
        {
            assert_eq!(rewritten(sql), sql);
        }
    }

    fn rewritten(sql: &str) -> String {
        let mut parser = DFParserBuilder::new(sql).with_dialect(&HexflightDialect).build().unwrap();
        let mut statement = parser.parse_statement().unwrap();
        derive_with_queries(&mut statement).unwrap();
        statement.to_string()
    }
}
