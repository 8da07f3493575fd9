//! `WideRows`: rows that are copied are measured before a join, cut before UNNEST, and come in few at once where many columns are made of
//! them (see `width`).

use std::sync::Arc;

use datafusion::{
    common::{
        JoinSide, JoinType,
        tree_node::{Transformed, TreeNode},
    },
    config::ConfigOptions,
    error::Result,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan, ExecutionPlanProperties,
        execution_plan::replace_children_if_necessary,
        joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec},
        unnest::UnnestExec,
        windows::WindowAggExec,
    },
};

use crate::{
    functions::Bounds,
    turn::Turns,
    width::{Collected, Cut, Measured, Sliced, large_columns, rows_at_once, wide_columns},
};

/// See the module. Runs after all rules that look at the inputs of joins.
#[derive(Debug)]
pub(super) struct WideRows {
    bounds: Arc<Bounds>,
}

impl WideRows {
    pub(super) fn new(bounds: &Arc<Bounds>) -> Self {
        Self { bounds: Arc::clone(bounds) }
    }
}

impl PhysicalOptimizerRule for WideRows {
    fn name(&self) -> &'static str {
        "WideRows"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wrapped = plan.transform_up(|node| {
            if let Some(unnest) = node.downcast_ref::<UnnestExec>() {
                let input = Cut::below(unnest, &self.bounds);
                return replace_children_if_necessary(node, vec![input]).map(Transformed::yes);
            }
            if let Some(window) = node.downcast_ref::<WindowAggExec>() {
                let input = Collected::above(Arc::clone(window.input()), window.window_expr().len());
                return replace_children_if_necessary(node, vec![input]).map(Transformed::yes);
            }
            if let Some(rows) = rows_at_once(&node)? {
                let inputs = node.children().into_iter();
                let inputs = inputs.map(|input| Turns::above(Sliced::to(Arc::clone(input), rows))).collect();
                return replace_children_if_necessary(node, inputs).map(Transformed::yes);
            }
            let copied = copied_columns(&node);
            if copied.iter().all(Vec::is_empty) {
                return Ok(Transformed::no(node));
            }
            let partitions = node.output_partitioning().partition_count();
            let inputs =
                node.children().into_iter().zip(copied).map(|(input, columns)| match columns.as_slice() {
                    [] => Arc::clone(input),
                    _ => Measured::above(Arc::clone(input), columns, partitions, &self.bounds),
                });
            let inputs = inputs.collect();
            with_inputs(node, inputs).map(Transformed::yes)
        });
        wrapped.map(|transformed| transformed.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The columns of each input of a join that it copies for many rows of the other, and that can be large; none of another node.
fn copied_columns(node: &Arc<dyn ExecutionPlan>) -> [Vec<usize>; 2] {
    let (filter, join_type, projection) = if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        (join.filter(), *join.join_type(), join.projection.as_deref())
    } else if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
        (join.filter(), *join.join_type(), join.projection().as_deref())
    } else if let Some(join) = node.downcast_ref::<SortMergeJoinExec>() {
        (join.filter().as_ref(), join.join_type(), None)
    } else if node.name().ends_with("JoinExec") {
        (None, JoinType::Inner, None)
    } else {
        return [vec![], vec![]];
    };
    let asked: Vec<(JoinSide, usize)> = filter
        .iter()
        .flat_map(|filter| filter.column_indices())
        .map(|column| (column.side, column.index))
        .collect();
    let mut before = 0;
    let mut of_input = |(input, side): (&Arc<dyn ExecutionPlan>, JoinSide)| {
        let first = before;
        before += input.schema().fields().len();
        let is_given = |column: usize| {
            has_partners(join_type) && projection.is_none_or(|given| given.contains(&(first + column)))
        };
        let mut columns = large_columns(&input.schema());
        columns.retain(|column| asked.contains(&(side, *column)) || is_given(*column));
        columns
    };
    let children = node.children();
    match children.as_slice() {
        [left, right] => [of_input((left, JoinSide::Left)), of_input((right, JoinSide::Right))],
        _ => [vec![], vec![]],
    }
}

/// Whether the result has a row for each pair. Without, only a condition looks at pairs.
fn has_partners(join_type: JoinType) -> bool {
    matches!(join_type, JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full)
}

/// The join of other inputs. A cross join makes a batch of each row of its right input, as long as its left one: where it copies values, it
/// becomes a join that keeps to the length of batches.
fn with_inputs(
    node: Arc<dyn ExecutionPlan>,
    mut inputs: Vec<Arc<dyn ExecutionPlan>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let is_wide = |input: &Arc<dyn ExecutionPlan>| !wide_columns(&input.schema()).is_empty();
    let is_cross = node.is::<CrossJoinExec>() && inputs.iter().any(is_wide);
    let is_nested = node.is::<NestedLoopJoinExec>();
    if (is_cross || is_nested)
        && let Some(right) = inputs.pop()
    {
        inputs.push(Sliced::above(right));
    }
    match (is_cross, inputs.as_slice()) {
        (true, [left, right]) => {
            let (left, right) = (Arc::clone(left), Arc::clone(right));
            Ok(Arc::new(NestedLoopJoinExec::try_new(left, right, None, &JoinType::Inner, None)?))
        }
        _ => replace_children_if_necessary(node, inputs),
    }
}
