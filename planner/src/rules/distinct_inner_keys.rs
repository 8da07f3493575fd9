//! `DistinctInnerKeys`: makes the inner side of IN, NOT IN and EXISTS distinct before the join. Such a join only asks whether there
//! is a row, but DataFusion's pairs every outer row with every inner one of its key first: over a column of few values that is
//! the square of the table. What a semi, anti or mark join gives depends on the set of its inner keys alone, NULL included.

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::DataType,
    common::{Column, Dependency, tree_node::Transformed},
    error::Result,
    logical_expr::{Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder},
    optimizer::{OptimizerConfig, OptimizerRule, optimizer::ApplyOrder},
};

/// Puts a GROUP BY of the keys, or LIMIT 1 where there are none, over the inner side. Runs last: by then the inner side is
/// reduced to the columns that the join compares.
#[derive(Debug)]
pub(crate) struct DistinctInnerKeys;

impl OptimizerRule for DistinctInnerKeys {
    fn name(&self) -> &'static str {
        "distinct_inner_keys"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Join(mut join) = plan else { return Ok(Transformed::no(plan)) };
        let Some(inner) = inner_side(&join) else { return Ok(Transformed::no(LogicalPlan::Join(join))) };
        let keys = compared_columns(&join, inner);
        let Some(distinct) = distinct(inner, keys)? else {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        };
        match join.join_type {
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => join.left = Arc::new(distinct),
            _ => join.right = Arc::new(distinct),
        }
        Ok(Transformed::yes(LogicalPlan::Join(join)))
    }
}

/// The side of which no column leaves the join.
fn inner_side(join: &Join) -> Option<&Arc<LogicalPlan>> {
    match join.join_type {
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => Some(&join.right),
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => Some(&join.left),
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => None,
    }
}

/// The inner side's columns that the join's condition names, as indexes in order.
fn compared_columns(join: &Join, inner: &LogicalPlan) -> Vec<usize> {
    let equalities = join.on.iter().flat_map(|(left, right)| [left, right]);
    let columns = equalities.chain(&join.filter).flat_map(Expr::column_refs);
    let schema = inner.schema();
    let mut indexes: Vec<usize> = columns.filter_map(|column| schema.maybe_index_of_column(column)).collect();
    indexes.sort_unstable();
    indexes.dedup();
    indexes
}

/// The plan with each combination of the keys once; `None` if it has that already, or no way to tell rows apart.
fn distinct(plan: &Arc<LogicalPlan>, keys: Vec<usize>) -> Result<Option<LogicalPlan>> {
    if plan.max_rows().is_some_and(|rows| rows <= 1) || has_each_once(plan, &keys) {
        return Ok(None);
    }
    let builder = LogicalPlanBuilder::new_from_arc(Arc::clone(plan));
    if keys.is_empty() {
        return builder.limit(0, Some(1))?.build().map(Some);
    }
    let fields = plan.schema();
    if keys.iter().any(|key| matches!(fields.field(*key).data_type(), DataType::Union(..))) {
        return Ok(None);
    }
    let columns = keys.iter().map(|key| Expr::Column(Column::from(fields.qualified_field(*key))));
    builder.aggregate(columns, Vec::<Expr>::new())?.build().map(Some)
}

/// Whether no two rows of a plan agree in all the keys.
fn has_each_once(plan: &LogicalPlan, keys: &[usize]) -> bool {
    plan.schema().functional_dependencies().iter().any(|known| {
        known.mode == Dependency::Single && known.source_indices.iter().all(|index| keys.contains(index))
    })
}
