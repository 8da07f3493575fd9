//! Walks over statements. Whoever walks, the walk itself is one type: sqlparser makes the code of a walk over its whole syntax for each type of
//! visitor, most of a megabyte.

use std::ops::ControlFlow;

use datafusion::{
    error::{DataFusionError, Result},
    sql::{
        parser::Statement,
        sqlparser::ast::{
            Expr, ObjectName, Query, Select, TableFactor, Visit, VisitMut, Visitor, VisitorMut,
        },
    },
};

/// Changes parts of a statement; an error ends the walk.
pub(super) trait Change {
    /// A query, before its parts.
    fn query(&mut self, _query: &mut Query) -> Result<()> {
        Ok(())
    }

    /// A SELECT, before its parts.
    fn select(&mut self, _select: &mut Select) -> Result<()> {
        Ok(())
    }

    /// What a query reads, before its parts.
    fn table_factor(&mut self, _table: &mut TableFactor) -> Result<()> {
        Ok(())
    }

    /// An expression, after its parts.
    fn expression(&mut self, _expression: &mut Expr) -> Result<()> {
        Ok(())
    }
}

/// Looks at parts of a statement.
pub(super) trait Look {
    /// A query, before its parts.
    fn query(&mut self, _query: &Query) {}

    /// A query, after its parts.
    fn query_end(&mut self) {}

    /// A SELECT, before its parts.
    fn select(&mut self, _select: &Select) {}

    /// The name of a table.
    fn relation(&mut self, _name: &ObjectName) {}

    /// An expression, before its parts; whether that is enough.
    fn is_found(&mut self, _expression: &Expr) -> bool {
        false
    }
}

/// Lets `change` see every part of a statement, or of the one that is explained.
///
/// # Errors
/// The first of `change`.
pub(super) fn change(statement: &mut Statement, change: &mut dyn Change) -> Result<()> {
    match statement {
        Statement::Explain(explain) => self::change(&mut explain.statement, change),
        Statement::Statement(statement) => result(statement.visit(&mut Changing(change))),
        _ => Ok(()),
    }
}

/// Lets `change` see every expression of a part, the inner ones first.
///
/// # Errors
/// The first of `change`.
pub(super) fn change_expressions(
    part: &mut impl VisitMut,
    change: &mut dyn FnMut(&mut Expr) -> Result<()>,
) -> Result<()> {
    result(part.visit(&mut Changing(&mut Expressions(change))))
}

/// Lets `look` see every part of a statement, or of the one that is explained.
pub(super) fn look(statement: &Statement, look: &mut dyn Look) {
    match statement {
        Statement::Explain(explain) => self::look(&explain.statement, look),
        Statement::Statement(statement) => drop(statement.visit(&mut Looking(look))),
        _ => {}
    }
}

/// Whether an expression of a part is one that is looked for; the outer ones are asked first.
pub(super) fn any_expression(part: &impl Visit, is_it: &mut dyn FnMut(&Expr) -> bool) -> bool {
    part.visit(&mut Looking(&mut Search(is_it))).is_break()
}

fn result(flow: ControlFlow<DataFusionError>) -> Result<()> {
    match flow {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn flow(result: Result<()>) -> ControlFlow<DataFusionError> {
    result.map_or_else(ControlFlow::Break, ControlFlow::Continue)
}

struct Changing<'c>(&'c mut dyn Change);

impl VisitorMut for Changing<'_> {
    type Break = DataFusionError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<DataFusionError> {
        flow(self.0.query(query))
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<DataFusionError> {
        flow(self.0.select(select))
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<DataFusionError> {
        flow(self.0.table_factor(table))
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<DataFusionError> {
        flow(self.0.expression(expression))
    }
}

struct Looking<'l>(&'l mut dyn Look);

impl Visitor for Looking<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.0.query(query);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        self.0.query_end();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        self.0.select(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
        self.0.relation(name);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        if self.0.is_found(expression) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

struct Expressions<'f>(&'f mut dyn FnMut(&mut Expr) -> Result<()>);

impl Change for Expressions<'_> {
    fn expression(&mut self, expression: &mut Expr) -> Result<()> {
        (self.0)(expression)
    }
}

struct Search<'f>(&'f mut dyn FnMut(&Expr) -> bool);

impl Look for Search<'_> {
    fn is_found(&mut self, expression: &Expr) -> bool {
        (self.0)(expression)
    }
}
