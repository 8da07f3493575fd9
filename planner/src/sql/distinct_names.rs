//! Makes a statement over whose columns of one name DataFusion stumbles one in which each has a name of its own: `SELECT value, value`,
//! `SELECT timestamp::date … ORDER BY timestamp` (a cast has the name of what it casts), `EXISTS (…)` twice (all are called EXISTS).
//! Only what has failed comes here.

use std::{collections::HashMap, mem};

use datafusion::{
    error::Result,
    sql::{
        parser::{DFParserBuilder, Statement},
        sqlparser::ast::{
            BinaryOperator, CastKind, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
            ObjectName, Query, Select, SelectItem, SetExpr, Value,
        },
    },
};

use super::{
    column_id::ColumnId,
    dialect::HexflightDialect,
    walk::{Change, any_expression, change},
};

/// Names columns apart. Says whether there was anything to do.
///
/// # Errors
/// Propagates the parser's errors; none is expected for a text of ours.
pub(super) fn name_apart(statement: &mut Statement) -> Result<bool> {
    let mut naming = Naming { count: 0, changed: false, subqueries: HashMap::new(), call: call_template()? };
    change(statement, &mut naming)?;
    Ok(naming.changed)
}

struct Naming {
    count: usize,
    changed: bool,
    /// Texts of subqueries, and of what asks about one, and their numbers: one in GROUP BY is the same as in the SELECT list.
    subqueries: HashMap<String, usize>,
    /// `arrow_cast(NULL, NULL)`.
    call: Expr,
}

impl Change for Naming {
    fn select(&mut self, select: &mut Select) -> Result<()> {
        let mut uses: HashMap<String, usize> = HashMap::new();
        let has_wildcard = select.projection.iter().any(is_wildcard);
        for key in select.projection.iter().filter_map(key) {
            *uses.entry(key).or_default() += 1;
        }
        for item in &mut select.projection {
            let alone = key(item).is_none_or(|key| uses.get(&key) == Some(&1));
            let is_column =
                item_expression(item).is_some_and(|expression| column(uncast(expression)).is_some());
            if !alone || has_borrowed_name(item) || (has_wildcard && is_column) {
                self.name(item);
            }
        }
        Ok(())
    }

    /// A call has a name of its own, where a cast has that of its argument. A subquery has that of its column, and what asks about one
    /// the name of the operator.
    fn expression(&mut self, expression: &mut Expr) -> Result<()> {
        if let Expr::Subquery(query) = expression {
            self.name_subquery(query);
        }
        if asks_about_rows(expression) {
            self.number(expression);
        }
        if let Expr::Cast { kind, expr, data_type, .. } = expression
            && let Some(arrow_type) = arrow_type(&data_type.to_string())
            && !(matches!(expr.as_ref(), Expr::Value(_)) && is_moment(&arrow_type))
        {
            let function = match kind {
                CastKind::Cast | CastKind::DoubleColon => "arrow_cast",
                CastKind::TryCast | CastKind::SafeCast => "arrow_try_cast",
            };
            let argument = mem::replace(expr.as_mut(), Expr::value(Value::Null));
            *expression = self.cast_call(function, argument, arrow_type);
            self.changed = true;
        }
        Ok(())
    }
}

impl Naming {
    /// Gives an item of a SELECT list a name of its own, which remembers the name that it should have.
    fn name(&mut self, item: &mut SelectItem) {
        let id = |number, name: &str| Ident::with_quote('"', ColumnId { number, name }.column());
        let number = self.count;
        match item {
            SelectItem::UnnamedExpr(expression) => {
                let name = match column(uncast(expression)) {
                    Some(column) => Some(folded(column)),
                    None => is_borrower(expression).then(|| expression.to_string()),
                };
                let expr = mem::replace(expression, Expr::value(Value::Null));
                *item = SelectItem::ExprWithAlias { expr, alias: id(number, &name.unwrap_or_default()) };
            }
            SelectItem::ExprWithAlias { alias, .. } => *alias = id(number, &folded(alias)),
            _ => return,
        }
        self.count += 1;
        self.changed = true;
    }

    /// Its one column gets a name of its own.
    fn name_subquery(&mut self, query: &mut Query) {
        let text = query.to_string();
        let SetExpr::Select(select) = query.body.as_mut() else { return };
        let [item] = select.projection.as_mut_slice() else { return };
        let name = match &*item {
            SelectItem::UnnamedExpr(expression) => {
                column(uncast(expression)).map_or_else(|| expression.to_string(), folded)
            }
            SelectItem::ExprWithAlias { alias, .. } => folded(alias),
            _ => return,
        };
        if ColumnId::of(&name).is_some() {
            return;
        }
        let number = self.number_of(text);
        let alias = Ident::with_quote('"', ColumnId { number, name: &name }.column());
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            let expr = mem::replace(expr, Expr::value(Value::Null));
            *item = SelectItem::ExprWithAlias { expr, alias };
        }
        self.changed = true;
    }

    /// `7 = 7 AND …` is what `…` is, also where that is NULL, and has a name of its own.
    fn number(&mut self, expression: &mut Expr) {
        let number = self.number_of(expression.to_string());
        let binary = |left, op, right| Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) };
        let literal = || Expr::value(Value::Number(number.to_string(), false));
        let is_itself = binary(literal(), BinaryOperator::Eq, literal());
        let asked = mem::replace(expression, Expr::value(Value::Null));
        *expression = Expr::Nested(Box::new(binary(is_itself, BinaryOperator::And, asked)));
        self.changed = true;
    }

    fn number_of(&mut self, text: String) -> usize {
        let number = *self.subqueries.entry(text).or_insert(self.count);
        self.count += 1;
        number
    }

    fn cast_call(&self, name: &str, argument: Expr, arrow_type: String) -> Expr {
        let mut call = self.call.clone();
        if let Expr::Function(function) = &mut call
            && let FunctionArguments::List(list) = &mut function.args
        {
            function.name = ObjectName::from(vec![Ident::new(name)]);
            let arrow_type = Expr::value(Value::SingleQuotedString(arrow_type));
            let unnamed = |argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument));
            list.args = [argument, arrow_type].map(unnamed).into();
        }
        call
    }
}

/// By what an item is likely to be called as another: its text without casts.
pub(super) fn key(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(expression) => Some(match column(uncast(expression)) {
            Some(column) => folded(column),
            None => uncast(expression).to_string().to_lowercase(),
        }),
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        _ => None,
    }
}

fn item_expression(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expression) => Some(expression),
        _ => None,
    }
}

/// A subquery has the name of its column.
fn has_borrowed_name(item: &SelectItem) -> bool {
    let is_borrowing = |expression: &Expr| matches!(expression, Expr::Subquery(_)) || is_borrower(expression);
    item_expression(item).is_some_and(is_borrowing)
}

/// A cast has the name of what is inside, a call that has a cast inside is about to be another, and what asks about rows is about to
/// have a number. A subquery alone has the name of its column.
fn is_borrower(expression: &Expr) -> bool {
    if matches!(expression, Expr::Subquery(_)) {
        return false;
    }
    let is_it =
        &mut |part: &Expr| matches!(part, Expr::Cast { .. } | Expr::Subquery(_)) || asks_about_rows(part);
    any_expression(expression, is_it)
}

fn asks_about_rows(expression: &Expr) -> bool {
    let of_subquery = |right: &Expr| matches!(right, Expr::Subquery(_));
    match expression {
        Expr::Exists { .. } | Expr::InSubquery { .. } => true,
        Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } => of_subquery(right),
        _ => false,
    }
}

pub(super) fn is_wildcard(item: &SelectItem) -> bool {
    matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
}

pub(super) fn uncast(expression: &Expr) -> &Expr {
    match expression {
        Expr::Cast { expr, .. } | Expr::Nested(expr) => uncast(expr),
        other => other,
    }
}

pub(super) fn column(expression: &Expr) -> Option<&Ident> {
    match expression {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(names) => names.last(),
        _ => None,
    }
}

/// As DataFusion takes a name.
pub(super) fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

/// What `arrow_cast` calls the types that casts are mostly to.
fn arrow_type(sql_type: &str) -> Option<String> {
    let (name, arguments) = without_arguments(sql_type.to_uppercase());
    let unit = match arguments.as_slice() {
        [] | [9] => "Nanosecond",
        [6] => "Microsecond",
        [3] => "Millisecond",
        _ => "Second",
    };
    let plain = match name.as_str() {
        "TIMESTAMP" => return Some(format!("Timestamp({unit}, None)")),
        "TIMESTAMPTZ" | "TIMESTAMP WITH TIME ZONE" => {
            return Some(format!("Timestamp({unit}, Some(\"UTC\"))"));
        }
        "NUMERIC" | "DECIMAL" => return decimal_type(&arguments),
        "DATE" => "Date32",
        "TIME" => "Time64(Nanosecond)",
        "SMALLINT" | "INT2" => "Int16",
        "INT" | "INTEGER" | "INT4" => "Int32",
        "BIGINT" | "INT8" => "Int64",
        "REAL" | "FLOAT" | "FLOAT4" => "Float32",
        "DOUBLE" | "DOUBLE PRECISION" | "FLOAT8" => "Float64",
        "TEXT" | "VARCHAR" | "STRING" | "CHAR" => "Utf8View",
        "BOOLEAN" | "BOOL" => "Boolean",
        _ => return None,
    };
    Some(plain.to_owned())
}

/// The texts of moments are read by rules, which look for casts.
fn is_moment(arrow_type: &str) -> bool {
    arrow_type.starts_with("Timestamp") || arrow_type == "Date32"
}

/// As DataFusion takes a decimal without digits, or without digits behind the point.
fn decimal_type(arguments: &[u8]) -> Option<String> {
    match arguments {
        [] => Some("Decimal128(38, 10)".to_owned()),
        [precision @ 1..=38] => Some(format!("Decimal128({precision}, 0)")),
        [precision @ 1..=38, scale] => Some(format!("Decimal128({precision}, {scale})")),
        _ => None,
    }
}

/// `NUMERIC(10,2)` as its name and its numbers, which may stand inside of the name.
fn without_arguments(sql_type: String) -> (String, Vec<u8>) {
    let Some((before, rest)) = sql_type.split_once('(') else { return (sql_type, vec![]) };
    let (arguments, after) = rest.split_once(')').unwrap_or((rest, ""));
    let arguments = arguments.split(',').filter_map(|argument| argument.trim().parse().ok()).collect();
    (format!("{before}{after}"), arguments)
}

fn call_template() -> Result<Expr> {
    let mut parser =
        DFParserBuilder::new("arrow_cast(NULL, NULL)").with_dialect(&HexflightDialect).build()?;
    Ok(parser.parser.parse_expr()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_one_name_are_named_apart() {
        for (sql, expected) in [
            (
                "SELECT value, value FROM events",
                r#"SELECT value AS "__column_0__value", value AS "__column_1__value" FROM events"#,
            ),
            ("SELECT count(*), Count(*)", r#"SELECT count(*) AS "__column_0__", Count(*) AS "__column_1__""#),
            (
                "SELECT e.value::int, sum(x::float) FROM e",
                r#"SELECT arrow_cast(e.value, 'Int32') AS "__column_0__value", sum(arrow_cast(x, 'Float32')) AS "__column_1__sum(x::FLOAT)" FROM e"#,
            ),
            (
                "SELECT x::numeric(10,2), try_cast(y AS timestamp(3) with time zone) FROM t",
                r#"SELECT arrow_cast(x, 'Decimal128(10, 2)') AS "__column_0__x", arrow_try_cast(y, 'Timestamp(Millisecond, Some("UTC"))') AS "__column_1__y" FROM t"#,
            ),
            ("SELECT *, value, 1 FROM t", r#"SELECT *, value AS "__column_0__value", 1 FROM t"#),
        ] {
            assert_eq!(named(sql).as_deref(), Some(expected));
        }
        assert_eq!(named("SELECT value, type, count(*) FROM events"), None);
    }

    fn named(sql: &str) -> Option<String> {
        let mut parser = DFParserBuilder::new(sql).with_dialect(&HexflightDialect).build().unwrap();
        let mut statement = parser.parse_statement().unwrap();
        name_apart(&mut statement).unwrap().then(|| statement.to_string())
    }
}
