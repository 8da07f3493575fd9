//! `Shape`: which of DataFusion's optimizer rules a statement can need. Most statements here have no join, no subquery, no set
//! operation and no window; rules about nothing else are left out for them, because each walks the whole plan to find nothing.

use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    error::Result,
    execution::{SessionState, SessionStateBuilder},
    logical_expr::{Expr, LogicalPlan},
};

/// What a statement is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Scan, filter, projection, aggregate, sort and limit, one above the other.
    Plain,
    /// Anything else.
    Any,
}

/// Rules that only look at joins, subqueries, unions, DISTINCT and `op ANY (…)`.
const NOT_FOR_PLAIN: [&str; 16] = [
    "hold_above_joins",
    "hold_in_outer_joins",
    "rewrite_set_comparison",
    "optimize_unions",
    "unions_to_filter",
    "replace_distinct_aggregate",
    "eliminate_join",
    "decorrelate_predicate_subquery",
    "scalar_subquery_to_join",
    "decorrelate_lateral_join",
    "extract_equijoin_predicate",
    "constant_join_keys",
    "eliminate_cross_join",
    "filter_null_join_keys",
    "eliminate_outer_join",
    "distinct_inner_keys",
];

/// Rules before these that only look at windows, set operations and subqueries.
const ANALYZER_NOT_FOR_PLAIN: [&str; 4] =
    ["check_window_frames", "distinct_on_order", "count_set_operations", "subqueries_to_joins"];

/// Rules that only look at joins, windows and UNNEST.
const PHYSICAL_NOT_FOR_PLAIN: [&str; 5] =
    ["join_selection", "WindowTopN", "LimitPushPastWindows", "HashJoinBuffering", "TurnsInJoins"];

impl Shape {
    /// Looks at every node and expression of a plan that is not optimised.
    ///
    /// # Errors
    /// Propagates the errors of DataFusion's tree walk; none is expected.
    pub(crate) fn of(plan: &LogicalPlan) -> Result<Self> {
        let mut plain = true;
        plan.apply(|node| {
            plain &= is_plain(node);
            node.apply_expressions(|expression| {
                expression.apply(|part| {
                    plain &= !is_subquery(part);
                    Ok(TreeNodeRecursion::Continue)
                })
            })
        })?;
        Ok(if plain { Self::Plain } else { Self::Any })
    }
}

fn is_plain(node: &LogicalPlan) -> bool {
    matches!(
        node,
        LogicalPlan::TableScan(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Projection(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::SubqueryAlias(_)
    )
}

fn is_subquery(expression: &Expr) -> bool {
    matches!(
        expression,
        Expr::Exists(_)
            | Expr::InSubquery(_)
            | Expr::SetComparison(_)
            | Expr::ScalarSubquery(_)
            | Expr::OuterReferenceColumn(..)
            | Expr::WindowFunction(_)
            | Expr::Unnest(_)
    )
}

/// The state for plain statements.
pub(super) fn for_plain(state: &SessionState) -> SessionState {
    let rules = state.optimizers().iter().filter(|rule| !NOT_FOR_PLAIN.contains(&rule.name()));
    let rules = rules.cloned().collect();
    let physical = state.physical_optimizers().iter();
    let physical = physical.filter(|rule| !PHYSICAL_NOT_FOR_PLAIN.contains(&rule.name())).cloned().collect();
    let mut builder = SessionStateBuilder::new_from_existing(state.clone())
        .with_optimizer_rules(rules)
        .with_physical_optimizer_rules(physical);
    // In place: an analyzer that is made of rules has lost its rewrites of calls.
    if let Some(analyzer) = builder.analyzer() {
        analyzer.rules.retain(|rule| !ANALYZER_NOT_FOR_PLAIN.contains(&rule.name()));
    }
    builder.build()
}
