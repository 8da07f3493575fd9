//! `SELECT * REPLACE (… AS value)`: DataFusion replaces nothing, and says nothing, where there is no column of that name. And it takes the
//! names after `REPLACE`, `EXCLUDE` and `EXCEPT` letter by letter, where all other names are folded.

use std::{collections::BTreeSet, ops::ControlFlow};

use datafusion::{
    common::{plan_err, tree_node::TreeNodeRecursion},
    error::Result,
    logical_expr::{Expr, LogicalPlan},
    sql::{
        parser::Statement,
        sqlparser::ast::{
            ExcludeSelectItem, Ident, ObjectName, ObjectNamePart, Select, SelectItem, Visit, VisitMut,
            Visitor, VisitorMut, WildcardAdditionalOptions,
        },
    },
};

use super::distinct_names::folded;

/// Folds the names after every star of a statement.
pub(super) fn fold_star_names(statement: &mut Statement) {
    match statement {
        Statement::Explain(explain) => fold_star_names(&mut explain.statement),
        Statement::Statement(statement) => {
            // This visitor never breaks.
            let _: ControlFlow<()> = statement.visit(&mut Folding);
        }
        _ => {}
    }
}

/// The names of columns that a statement replaces, folded.
pub(super) fn replaced_columns(statement: &Statement) -> BTreeSet<String> {
    let mut replaced = Replaced(BTreeSet::new());
    match statement {
        Statement::Explain(explain) => return replaced_columns(&explain.statement),
        Statement::Statement(statement) => {
            // This visitor never breaks.
            let _: ControlFlow<()> = statement.visit(&mut replaced);
        }
        _ => {}
    }
    replaced.0
}

/// Makes sure that each of them stands somewhere in the plan: what replaces a column bears its name.
///
/// # Errors
/// `Plan` for a name that no column has.
pub(super) fn check_replaced(plan: &LogicalPlan, mut replaced: BTreeSet<String>) -> Result<()> {
    if replaced.is_empty() {
        return Ok(());
    }
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Projection(projection) = node {
            for expression in &projection.expr {
                if let Expr::Alias(alias) = expression {
                    replaced.remove(&alias.name);
                }
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    match replaced.first() {
        Some(name) => plan_err!("REPLACE names '{name}', and no column that * stands for is called so"),
        None => Ok(()),
    }
}

struct Folding;

impl VisitorMut for Folding {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            if let SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) = item {
                fold(options);
            }
        }
        ControlFlow::Continue(())
    }
}

struct Replaced(BTreeSet<String>);

impl Visitor for Replaced {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for item in &select.projection {
            if let SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) = item {
                let replaced = options.opt_replace.iter().flat_map(|replace| &replace.items);
                self.0.extend(replaced.map(|element| folded(&element.column_name)));
            }
        }
        ControlFlow::Continue(())
    }
}

fn fold(options: &mut WildcardAdditionalOptions) {
    match &mut options.opt_exclude {
        Some(ExcludeSelectItem::Single(name)) => fold_parts(name),
        Some(ExcludeSelectItem::Multiple(names)) => names.iter_mut().for_each(fold_parts),
        None => {}
    }
    if let Some(except) = &mut options.opt_except {
        fold_name(&mut except.first_element);
        except.additional_elements.iter_mut().for_each(fold_name);
    }
    for element in options.opt_replace.iter_mut().flat_map(|replace| &mut replace.items) {
        fold_name(&mut element.column_name);
    }
}

fn fold_parts(name: &mut ObjectName) {
    for part in &mut name.0 {
        if let ObjectNamePart::Identifier(name) = part {
            fold_name(name);
        }
    }
}

fn fold_name(name: &mut Ident) {
    *name = Ident::with_quote('"', folded(name));
}
