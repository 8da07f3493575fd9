//! How many tables a statement reads once every use of a WITH query has been replaced by the query, as planning does: each WITH
//! that uses the one before twice doubles the plan, so a text of a few lines could ask for more than all memory.

use std::collections::HashMap;

use datafusion::sql::{
    parser::Statement,
    sqlparser::ast::{ObjectName, Query},
};

use super::walk::{Look, look};

/// Uses of tables in a statement after expansion; saturates.
pub(super) fn table_uses(statement: &Statement) -> usize {
    let mut expansion = Expansion { open: vec![OpenQuery::default()], named: HashMap::new() };
    look(statement, &mut expansion);
    expansion.open.first().map_or(0, |statement| statement.uses)
}

struct Expansion {
    /// The queries that are being walked, outermost first; the statement itself is at the bottom.
    open: Vec<OpenQuery>,
    /// Uses of each WITH query seen so far. Scopes are not kept apart: of two with one name the larger counts.
    named: HashMap<String, usize>,
}

#[derive(Debug, Default)]
struct OpenQuery {
    uses: usize,
    /// Names of the WITH queries that come up next, last first.
    with: Vec<String>,
}

impl Look for Expansion {
    fn query(&mut self, query: &Query) {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        let with = tables.rev().map(|table| folded(&table.alias.name.value)).collect();
        self.open.push(OpenQuery { uses: 0, with });
    }

    /// The WITH queries of a query are walked before anything else in it, in order.
    fn query_end(&mut self) {
        let Some(closed) = self.open.pop() else { return };
        let Some(outer) = self.open.last_mut() else { return };
        match outer.with.pop() {
            Some(name) => {
                let uses = self.named.entry(name).or_default();
                *uses = (*uses).max(closed.uses);
            }
            None => outer.uses = outer.uses.saturating_add(closed.uses),
        }
    }

    fn relation(&mut self, relation: &ObjectName) {
        let uses = self.named.get(&folded(&relation.to_string())).copied().unwrap_or(1).max(1);
        if let Some(query) = self.open.last_mut() {
            query.uses = query.uses.saturating_add(uses);
        }
    }
}

/// Names are compared without regard to case and quotes: too large a count only refuses earlier.
fn folded(name: &str) -> String {
    name.trim_matches('"').to_lowercase()
}

#[cfg(test)]
mod tests {
    use datafusion::sql::{parser::DFParserBuilder, sqlparser::dialect::PostgreSqlDialect};

    use super::*;

    #[test]
    fn each_use_of_a_with_query_counts_what_it_reads() {
        assert_eq!(uses("SELECT * FROM t, u JOIN v ON true WHERE x IN (SELECT y FROM w)"), 4);
        assert_eq!(uses("WITH a AS (SELECT * FROM t, u) SELECT * FROM a x JOIN A y ON true"), 4);
        assert_eq!(uses("WITH a AS (SELECT * FROM t), b AS (SELECT * FROM a, a) SELECT * FROM b, b"), 4);
        assert_eq!(uses("EXPLAIN WITH a AS (SELECT 1) SELECT * FROM a, \"A\""), 2);
    }

    #[test]
    fn with_queries_inside_queries_count_too() {
        let sql = "WITH a AS (WITH b AS (SELECT * FROM t, t) SELECT * FROM b, b) SELECT * FROM (SELECT * FROM a, a)";
        assert_eq!(uses(sql), 8);
    }

    #[test]
    fn doubling_saturates() {
        let doubled = |number: usize| format!(", a{number} AS (SELECT * FROM a{0}, a{0})", number - 1);
        let doubled: String = (1..200).map(doubled).collect();
        assert_eq!(uses(&format!("WITH a0 AS (SELECT * FROM t){doubled} SELECT * FROM a199")), usize::MAX);
    }

    fn uses(sql: &str) -> usize {
        let dialect = PostgreSqlDialect {};
        let mut parser = DFParserBuilder::new(sql).with_dialect(&dialect).build().unwrap();
        table_uses(&parser.parse_statements().unwrap()[0])
    }
}
