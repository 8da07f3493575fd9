//! `LargeLimits`: `ORDER BY … LIMIT` of many rows sorts in the way that spills. DataFusion keeps the best rows of a LIMIT in a heap, in memory
//! alone, be they a million: `LIMIT 5 OFFSET 1000000` failed where the sort of all rows did not.

use std::sync::Arc;

use datafusion::{
    common::tree_node::{Transformed, TreeNode},
    config::ConfigOptions,
    error::Result,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{ExecutionPlan, limit::LocalLimitExec, sorts::sort::SortExec},
};

/// Rows that a heap may keep; of wide rows these are some tens of MiB. It tells scans what they need not read, and a sort does not: the newest
/// 100,000 of many rows are for a heap.
const HEAP_ROWS_MAX: usize = 1 << 18;

/// Runs after the rules that move limits.
#[derive(Debug)]
pub(super) struct LargeLimits;

impl PhysicalOptimizerRule for LargeLimits {
    fn name(&self) -> &'static str {
        "LargeLimits"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(sort) = node.downcast_ref::<SortExec>() else { return Ok(Transformed::no(node)) };
            let Some(rows) = sort.fetch().filter(|rows| *rows > HEAP_ROWS_MAX) else {
                return Ok(Transformed::no(node));
            };
            let sort = Arc::new(sort.with_fetch(None));
            Ok(Transformed::yes(Arc::new(LocalLimitExec::new(sort, rows)) as _))
        })
        .map(|transformed| transformed.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}
