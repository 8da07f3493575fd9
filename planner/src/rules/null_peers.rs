//! `NullPeers`: rows whose ORDER BY is NULL are peers of each other, whatever a RANGE frame says: `1 PRECEDING AND 1 PRECEDING` of one is all of
//! them. DataFusion's bounded windows take such a frame for one that ends before its row, and answer before the last of the peers has come.
//! A window that waits for its whole partition does it right.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::{
    common::tree_node::{Transformed, TreeNode},
    config::ConfigOptions,
    error::Result,
    logical_expr::{WindowFrameBound, WindowFrameUnits},
    physical_expr::{PhysicalSortExpr, window::WindowExpr},
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan,
        windows::{BoundedWindowAggExec, WindowAggExec},
    },
};

/// After DataFusion's rules, which choose between the kinds of windows; rows come in the order that both need.
#[derive(Debug)]
pub(super) struct NullPeers;

impl PhysicalOptimizerRule for NullPeers {
    fn name(&self) -> &'static str {
        "NullPeers"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mended = plan.transform_up(|node| {
            let Some(window) = node.downcast_ref::<BoundedWindowAggExec>() else {
                return Ok(Transformed::no(node));
            };
            let input = window.input();
            if !window.window_expr().iter().any(|expression| waits_for_peers(expression, &input.schema())) {
                return Ok(Transformed::no(node));
            }
            let can_repartition = !window.partition_keys().is_empty();
            let window =
                WindowAggExec::try_new(window.window_expr().to_vec(), Arc::clone(input), can_repartition)?;
            Ok(Transformed::yes(Arc::new(window) as _))
        });
        mended.map(|transformed| transformed.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn waits_for_peers(expression: &Arc<dyn WindowExpr>, input: &Schema) -> bool {
    let frame = expression.get_window_frame();
    let ends_before = matches!(&frame.end_bound, WindowFrameBound::Preceding(offset) if !offset.is_null());
    let can_be_null = |key: &PhysicalSortExpr| key.expr.nullable(input).unwrap_or(true);
    frame.units == WindowFrameUnits::Range && ends_before && expression.order_by().iter().any(can_be_null)
}
