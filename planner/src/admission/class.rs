//! `Class`: whether a query is small. Told from its plan: what it reads is known, and nothing in it makes many rows of few.

use std::{cell::Cell, sync::Arc};

use datafusion::{
    datasource::source::DataSourceExec,
    physical_plan::{ExecutionPlan, empty::EmptyExec, placeholder_row::PlaceholderRowExec},
};

use crate::{aggregate::RollupAggregateExec, scan::SegmentScanExec};

/// Rows that a small query reads at most: some ms of work, and some MiB if all of them are kept.
const SMALL_ROWS_MAX: usize = 1 << 17;

/// How much work a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Answered from rollups, or from few rows.
    Small,
    /// All others.
    Large,
}

thread_local! {
    static OF_THREAD: Cell<Class> = const { Cell::new(Class::Small) };
}

impl Class {
    /// Whose threads these are, of which this is one. What queries wait for each other for is kept apart by this: a large one may hold it for as
    /// long as its thread is busy.
    pub(crate) fn of_thread() -> Self {
        OF_THREAD.get()
    }

    /// Says that this is a thread for queries of this class.
    pub(crate) fn set_of_thread(self) {
        OF_THREAD.set(self);
    }

    /// Walks without recursion: a plan may be deep.
    pub(crate) fn of(plan: &Arc<dyn ExecutionPlan>) -> Self {
        let mut rows = 0_usize;
        let mut waiting = vec![plan];
        while let Some(node) = waiting.pop() {
            let children = node.children();
            if children.len() > 1 && node.name().contains("Join") {
                return Self::Large;
            }
            if children.is_empty() {
                rows = match leaf_rows(node) {
                    Some(more) => rows.saturating_add(more),
                    None => return Self::Large,
                };
            }
            waiting.extend(children);
        }
        if rows <= SMALL_ROWS_MAX { Self::Small } else { Self::Large }
    }
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
