//! `SubqueriesToJoins`: turns EXISTS, IN, ANY, ALL and correlated values into joins, wherever they stand. DataFusion does so below WHERE
//! only, takes "unknown" for "false" there, and gives up on most correlated shapes, some of them without an error.
//!
//! ```text
//! unnest           each node whose expressions hold subqueries, innermost first
//!   ▼ expressions  what stands in a subquery's place
//!   ▼ members      IN, ANY, ALL ─▶ EXISTS, as exactly as the place needs it: true, false or unknown
//!   ▼ shape        what needs no rows at all, and what DataFusion joins well: left to it
//!   ▼ domain       the distinct outer values that a subquery names
//!   ▼ dependent    the subquery for all of them at once, each row beside its values
//! LEFT JOIN on the values; NULL finds NULL; a value of several rows is an error (only_value)
//! ```
//!
//! That is the general unnesting of Neumann and Kemper ("Unnesting Arbitrary Queries", BTW 2015).

mod unnest;
mod expressions;
mod members;
mod shape;
mod domain;
mod dependent;
mod only_value;

use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    config::ConfigOptions,
    error::Result,
    logical_expr::{Expr, LogicalPlan},
    optimizer::AnalyzerRule,
};

use unnest::Unnest;

/// Runs on the typed plan, before it is checked for the subqueries that DataFusion cannot join.
#[derive(Debug)]
pub(crate) struct SubqueriesToJoins;

impl AnalyzerRule for SubqueriesToJoins {
    fn name(&self) -> &'static str {
        "subqueries_to_joins"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let mut found = false;
        plan.apply(|node| {
            found = holds_subquery(node)? || matches!(node, LogicalPlan::Subquery(_));
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        if found { Unnest::default().plan(plan) } else { Ok(plan) }
    }
}

/// Whether an expression of the node has a subquery in it.
fn holds_subquery(node: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    node.apply_expressions(|expression| {
        found = expression.exists(|part| Ok(is_subquery(part)))?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

fn is_subquery(expression: &Expr) -> bool {
    matches!(
        expression,
        Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) | Expr::ScalarSubquery(_)
    )
}
