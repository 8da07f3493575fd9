//! `class_of`: whether a query is small, by its plan: what it reads is known, and nothing in it makes many rows of few.

use std::sync::Arc;

use datafusion::{
    datasource::source::DataSourceExec,
    physical_plan::{ExecutionPlan, empty::EmptyExec, placeholder_row::PlaceholderRowExec},
};

use crate::{admission::Class, aggregate::RollupAggregateExec, scan::SegmentScanExec};

/// Rows that a small query reads at most: some ms of work, and some MiB if all of them are kept.
const SMALL_ROWS_MAX: usize = 1 << 17;

/// The class of a plan. Walks without recursion: a plan may be deep.
pub(super) fn class_of(plan: &Arc<dyn ExecutionPlan>) -> Class {
    let mut rows = 0_usize;
    let mut waiting = vec![plan];
    while let Some(node) = waiting.pop() {
        let children = node.children();
        if children.len() > 1 && node.name().contains("Join") {
            return Class::Large;
        }
        if children.is_empty() {
            rows = match leaf_rows(node) {
                Some(more) => rows.saturating_add(more),
                None => return Class::Large,
            };
        }
        waiting.extend(children);
    }
    if rows <= SMALL_ROWS_MAX { Class::Small } else { Class::Large }
}

/// Rows that a leaf reads; `None` where that is not known, or no bound of the work.
fn leaf_rows(leaf: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    if let Some(scan) = leaf.downcast_ref::<SegmentScanExec>() {
        return Some(scan.rows_max());
    }
    let is_small = leaf.is::<RollupAggregateExec>()
        || leaf.is::<PlaceholderRowExec>()
        || leaf.is::<EmptyExec>()
        || leaf.is::<DataSourceExec>();
    is_small.then_some(0)
}
