//! What a result without duplicates is ordered by, as its number in the SELECT list: `SELECT DISTINCT timestamp::date … ORDER BY
//! timestamp::date`. DataFusion looks for it by name, and a cast has the name of what it casts.

use datafusion::{
    error::Result,
    sql::{
        parser::Statement,
        sqlparser::ast::{
            CastKind, Distinct, Expr, Ident, OrderByKind, Query, Select, SelectItem, SetExpr, Value,
        },
    },
};

use super::{
    distinct_names::{column, folded, is_wildcard, uncast},
    walk::{Change, change, change_expressions},
};

/// Numbers the orders of every query of a statement.
///
/// # Errors
/// None is expected.
pub(super) fn number_orders(statement: &mut Statement) -> Result<()> {
    change(statement, &mut Orders)
}

struct Orders;

impl Change for Orders {
    fn query(&mut self, query: &mut Query) -> Result<()> {
        let Query { body, order_by: Some(order_by), .. } = query else { return Ok(()) };
        let Some(list) = SelectList::of(body) else { return Ok(()) };
        if let OrderByKind::Expressions(orders) = &mut order_by.kind {
            for order in orders {
                if let Some(index) = list.index(&order.expr) {
                    order.expr = Expr::value(Value::Number((index + 1).to_string(), false));
                }
            }
        }
        Ok(())
    }
}

/// The columns of a result without duplicates, or of a set operation.
struct SelectList<'a> {
    items: &'a [SelectItem],
    /// Whether a column needs not say whose it is.
    is_of_one_table: bool,
    /// Whether expressions of the list may be asked for; names always may.
    is_distinct: bool,
}

impl<'a> SelectList<'a> {
    fn of(body: &'a SetExpr) -> Option<Self> {
        let (select, is_distinct) = match body {
            SetExpr::Select(select) if matches!(select.distinct, Some(Distinct::Distinct)) => {
                (select.as_ref(), true)
            }
            SetExpr::SetOperation { left, .. } => (first_select(left)?, false),
            _ => return None,
        };
        let is_of_one_table =
            select.from.len() == 1 && select.from.iter().all(|table| table.joins.is_empty());
        let is_counted = !select.projection.iter().any(is_wildcard);
        is_counted.then_some(Self { items: &select.projection, is_of_one_table, is_distinct })
    }

    /// Where in the list that stands which is ordered by. A name of its own is left alone: DataFusion finds it.
    fn index(&self, order: &Expr) -> Option<usize> {
        if let Expr::Identifier(name) = order {
            return self.index_of_name(name);
        }
        let order = self.is_distinct.then(|| self.written(order))?;
        self.items.iter().position(|item| match item {
            SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } => {
                self.written(expression) == order
            }
            _ => false,
        })
    }

    /// Where a cast stands that has the name of its column.
    fn index_of_name(&self, name: &Ident) -> Option<usize> {
        let name = folded(name);
        let names: Vec<_> = self.items.iter().map(output_name).collect();
        let index = names.iter().position(|found| found.as_ref() == Some(&name))?;
        let is_only = names.iter().filter(|found| found.as_ref() == Some(&name)).count() == 1;
        let is_cast =
            matches!(&self.items[index], SelectItem::UnnamedExpr(expression) if column(expression).is_none());
        (is_only && is_cast).then_some(index)
    }

    /// An expression in the spelling that all its spellings share.
    fn written(&self, expression: &Expr) -> String {
        let mut expression = expression.clone();
        // Nothing here fails.
        let _: Result<()> = change_expressions(&mut expression, &mut |part| {
            match part {
                Expr::Nested(inner) => *part = inner.as_ref().clone(),
                Expr::Cast { kind: kind @ CastKind::DoubleColon, .. } => *kind = CastKind::Cast,
                Expr::Identifier(name) => *name = Ident::new(folded(name)),
                Expr::CompoundIdentifier(names) => {
                    names.iter_mut().for_each(|name| *name = Ident::new(folded(name)));
                    if let (true, Some(name)) = (self.is_of_one_table, names.last()) {
                        *part = Expr::Identifier(name.clone());
                    }
                }
                _ => {}
            }
            Ok(())
        });
        expression.to_string()
    }
}

fn first_select(body: &SetExpr) -> Option<&Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::SetOperation { left, .. } => first_select(left),
        SetExpr::Query(query) => first_select(&query.body),
        _ => None,
    }
}

/// What PostgreSQL calls a column of the result, where that is a name.
fn output_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(expression) => column(uncast(expression)).map(folded),
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::parser::DFParserBuilder;

    use super::{super::dialect::HexflightDialect, *};

    #[test]
    fn what_stands_in_the_list_is_ordered_by_its_number() {
        for (sql, order) in [
            ("SELECT DISTINCT t::date FROM e ORDER BY t::date", "1"),
            ("SELECT DISTINCT t::date FROM e ORDER BY CAST(e.T AS date) DESC", "1 DESC"),
            ("SELECT DISTINCT x, (t::date) AS d FROM e ORDER BY t::date, x", "2, x"),
            ("SELECT DISTINCT t::date FROM e ORDER BY t", "1"),
            ("SELECT t::date FROM e UNION SELECT t::date FROM f ORDER BY t", "1"),
        ] {
            assert!(numbered(sql).ends_with(&format!("ORDER BY {order}")), "{sql}: {}", numbered(sql));
        }
        for sql in [
            "SELECT t::DATE FROM e ORDER BY t::DATE",
            "SELECT DISTINCT x || 'A' FROM e ORDER BY x || 'a'",
            "SELECT DISTINCT a.t::DATE FROM a JOIN b ON a.x = b.x ORDER BY b.t::DATE",
            "SELECT DISTINCT *, t::DATE FROM e ORDER BY t::DATE",
        ] {
            assert_eq!(numbered(sql), sql);
        }
    }

    fn numbered(sql: &str) -> String {
        let mut parser = DFParserBuilder::new(sql).with_dialect(&HexflightDialect).build().unwrap();
        let mut statement = parser.parse_statement().unwrap();
        number_orders(&mut statement).unwrap();
        statement.to_string()
    }
}
