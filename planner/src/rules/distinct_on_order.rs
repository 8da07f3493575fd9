//! `DistinctOnOrder`: `DISTINCT ON … ORDER BY device_id, timestamp, timestamp` sorts by each key once. DataFusion panics on one that stands
//! twice.

use datafusion::{
    common::tree_node::Transformed,
    config::ConfigOptions,
    error::Result,
    logical_expr::{Distinct, LogicalPlan, SortExpr},
    optimizer::AnalyzerRule,
};

/// See the module.
#[derive(Debug)]
pub(super) struct DistinctOnOrder;

impl AnalyzerRule for DistinctOnOrder {
    fn name(&self) -> &'static str {
        "distinct_on_order"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|node| Ok(sorted_once(node))).map(|plan| plan.data)
    }
}

fn sorted_once(node: LogicalPlan) -> Transformed<LogicalPlan> {
    let LogicalPlan::Distinct(Distinct::On(mut distinct)) = node else { return Transformed::no(node) };
    let mut changed = false;
    if let Some(keys) = distinct.sort_expr.take() {
        let key_count = keys.len();
        // The first of two alike decides, in whichever direction the other would sort what is equal.
        let mut once: Vec<SortExpr> = vec![];
        for key in keys {
            if !once.iter().any(|other| other.expr == key.expr) {
                once.push(key);
            }
        }
        changed = once.len() < key_count;
        distinct.sort_expr = Some(once);
    }
    Transformed::new_transformed(LogicalPlan::Distinct(Distinct::On(distinct)), changed)
}
