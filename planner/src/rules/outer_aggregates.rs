//! `CheckOuterAggregates`: refuses an aggregate inside of a subquery whose columns are all of the query around it. In SQL it is an aggregate
//! of that query, over the rows there; DataFusion takes it for one of the subquery, and answers something else.

use datafusion::{
    common::{
        plan_err,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    config::ConfigOptions,
    error::Result,
    logical_expr::{Expr, LogicalPlan},
    optimizer::AnalyzerRule,
};

/// Looks at every aggregate of a statement; changes nothing.
#[derive(Debug)]
pub(crate) struct CheckOuterAggregates;

impl AnalyzerRule for CheckOuterAggregates {
    fn name(&self) -> &'static str {
        "check_outer_aggregates"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::Aggregate(aggregate) = node {
                aggregate.aggr_expr.iter().try_for_each(check)?;
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(plan)
    }
}

fn check(aggregate: &Expr) -> Result<()> {
    let (mut inner, mut outer) = (false, None);
    aggregate.apply(|part| {
        match part {
            Expr::Column(_) => inner = true,
            Expr::OuterReferenceColumn(_, column) => outer = Some(column.clone()),
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    match outer {
        Some(column) if !inner => plan_err!(
            "an aggregate of {column} alone, inside of a subquery, is one over the rows of the query around it, which is not supported; compute it \
             in that query, or add a column of the subquery to it"
        ),
        _ => Ok(()),
    }
}
