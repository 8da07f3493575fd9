//! `SELECT * REPLACE (… AS value)`: DataFusion replaces nothing, and says nothing, where there is no column of that name. And it takes the
//! names after `REPLACE`, `EXCLUDE` and `EXCEPT` letter by letter, where all other names are folded.

use std::collections::BTreeSet;

use datafusion::{
    common::{plan_err, tree_node::TreeNodeRecursion},
    error::Result,
    logical_expr::{Expr, LogicalPlan},
    sql::{
        parser::Statement,
        sqlparser::ast::{
            ExcludeSelectItem, Ident, ObjectName, ObjectNamePart, Select, SelectItem,
            WildcardAdditionalOptions,
        },
    },
};

use super::{
    distinct_names::folded,
    walk::{Change, Look, change, look},
};

/// Folds the names after every star of a statement.
///
/// # Errors
/// None is expected.
pub(super) fn fold_star_names(statement: &mut Statement) -> Result<()> {
    change(statement, &mut Folding)
}

/// The names of columns that a statement replaces, folded.
pub(super) fn replaced_columns(statement: &Statement) -> BTreeSet<String> {
    let mut replaced = Replaced(BTreeSet::new());
    look(statement, &mut replaced);
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

impl Change for Folding {
    fn select(&mut self, select: &mut Select) -> Result<()> {
        for item in &mut select.projection {
            if let SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) = item {
                fold(options);
            }
        }
        Ok(())
    }
}

struct Replaced(BTreeSet<String>);

impl Look for Replaced {
    fn select(&mut self, select: &Select) {
        for item in &select.projection {
            if let SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) = item {
                let replaced = options.opt_replace.iter().flat_map(|replace| &replace.items);
                self.0.extend(replaced.map(|element| folded(&element.column_name)));
            }
        }
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
