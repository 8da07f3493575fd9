//! Filters that tighten while the query runs (a top-k's threshold, the keys of a join's other side), asked of zone maps.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::{
    common::tree_node::TreeNode,
    error::Result,
    physical_expr::{
        PhysicalExpr, conjunction,
        expressions::{Column, DynamicFilterTracking, Literal},
    },
    physical_expr_common::physical_expr::{snapshot_generation, snapshot_physical_expr},
    physical_plan::filter_pushdown::ChildPushdownResult,
};
use hexflight_engine::{TableSpec, ZoneMap};

use crate::{
    guard::can_fail,
    prune::{Pruner, ZoneStatistics},
};

/// The state of dynamic filters as of the last look.
#[derive(Debug)]
pub(super) struct DynamicPruner {
    filters: Vec<Arc<dyn PhysicalExpr>>,
    spec: Arc<TableSpec>,
    generation: u64,
    pruner: Pruner,
}

impl DynamicPruner {
    /// `filters` are over the columns of the table; `None` without filters.
    pub(super) fn new(filters: &[Arc<dyn PhysicalExpr>], spec: &Arc<TableSpec>) -> Option<Self> {
        (!filters.is_empty()).then(|| Self {
            filters: filters.to_vec(),
            spec: Arc::clone(spec),
            generation: 0,
            pruner: Pruner::default(),
        })
    }

    /// Whether the filters, as they are now, exclude every row of a batch.
    pub(super) fn excludes(&mut self, zone: &ZoneMap) -> Result<bool> {
        // Generations only grow, so their sum changes whenever one of them does.
        let generation = self.filters.iter().map(snapshot_generation).fold(0, u64::wrapping_add);
        if generation != self.generation {
            let current = self.filters.iter().map(|filter| snapshot_physical_expr(Arc::clone(filter)));
            let current = conjunction(current.collect::<Result<Vec<_>>>()?);
            self.pruner = Pruner::new(&current, &self.spec);
            self.generation = generation;
        }
        let schema = Arc::clone(self.spec.query_schema());
        let verdicts = self.pruner.prune(&ZoneStatistics::new(schema, vec![zone]));
        Ok(verdicts.iter().all(Option::is_some))
    }
}

/// The filters of operators above that tighten while the query runs, without those that do not, and without those that could
/// fail for a row or compute doubles: they only save work.
pub(super) fn only_dynamic(filters: &ChildPushdownResult, schema: &Schema) -> ChildPushdownResult {
    let is_dynamic = |filter| DynamicFilterTracking::classify(filter).contains_dynamic_filter();
    let parent_filters = filters
        .parent_filters
        .iter()
        .filter(|parent| is_dynamic(&parent.filter) && !can_fail(&parent.filter, schema))
        .filter(|parent| !computes_doubles(&parent.filter, schema))
        .cloned()
        .collect();
    ChildPushdownResult { parent_filters, self_filters: Vec::new() }
}

/// What is computed may be a zero with a sign, which the bits of a join's keys tell from the other one and a join does not. What is
/// stored never is.
fn computes_doubles(filter: &Arc<dyn PhysicalExpr>, schema: &Schema) -> bool {
    let is_computed_double = |part: &Arc<dyn PhysicalExpr>| {
        let is_given = part.downcast_ref::<Column>().is_some() || part.downcast_ref::<Literal>().is_some();
        !is_given && part.data_type(schema).is_ok_and(|data_type| data_type.is_floating())
    };
    filter.exists(|part| Ok(is_computed_double(part))).unwrap_or(true)
}
