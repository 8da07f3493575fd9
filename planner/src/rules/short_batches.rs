//! `ShortBatches`: joins of rows with texts or lists make short batches. A join copies a row as often as it finds a partner for it, and UNNEST as
//! often as its list has items, so a text of 60 kB becomes 500 MB in a batch of 8,192 rows. Views are copied without what they point at, numbers
//! are small: joins of those stay as they are, and events have no other columns.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::{
    common::{
        JoinType,
        tree_node::{Transformed, TreeNode},
    },
    config::ConfigOptions,
    error::Result,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan,
        execution_plan::replace_children_if_necessary,
        joins::{CrossJoinExec, NestedLoopJoinExec},
        unnest::UnnestExec,
    },
};

use super::batches_exec::{BatchesExec, Copied, wide_columns};
use crate::functions::Bounds;

/// See the module. Runs last but for what gives threads back: other rules look for the joins themselves.
#[derive(Debug)]
pub(super) struct ShortBatches {
    bounds: Arc<Bounds>,
}

impl ShortBatches {
    pub(super) fn new(bounds: &Arc<Bounds>) -> Self {
        Self { bounds: Arc::clone(bounds) }
    }
}

impl PhysicalOptimizerRule for ShortBatches {
    fn name(&self) -> &'static str {
        "ShortBatches"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let usual = config.execution.batch_size.get();
        let shortened = plan.transform_up(|node| {
            let Some(lists) = lists_of(&node) else { return Ok(Transformed::no(node)) };
            let is_wide = |input: &&Arc<dyn ExecutionPlan>| !wide_columns(&input.schema(), &lists).is_empty();
            if !node.children().iter().any(is_wide) {
                return Ok(Transformed::no(node));
            }
            let copied = Copied { bounds: Arc::clone(&self.bounds), lists };
            let inputs = node.children().into_iter();
            let inputs = inputs.map(|input| BatchesExec::into_node(Arc::clone(input), usual, copied.clone()));
            let inputs = inputs.collect();
            let node = with_inputs(node, inputs)?;
            Ok(Transformed::yes(BatchesExec::out_of_node(node)))
        });
        shortened.map(|transformed| transformed.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The join of other inputs. A cross join makes a batch of each row of its right input, as long as its left one: it becomes a join that keeps to
/// the length of batches.
fn with_inputs(
    node: Arc<dyn ExecutionPlan>,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    match (node.is::<CrossJoinExec>(), inputs.as_slice()) {
        (true, [left, right]) => {
            let (left, right) = (Arc::clone(left), Arc::clone(right));
            Ok(Arc::new(NestedLoopJoinExec::try_new(left, right, None, &JoinType::Inner, None)?))
        }
        _ => replace_children_if_necessary(node, inputs),
    }
}

/// The lists that a node makes rows of, none of a join; `None` of a node that copies no values.
fn lists_of(node: &Arc<dyn ExecutionPlan>) -> Option<Vec<usize>> {
    if let Some(unnest) = node.downcast_ref::<UnnestExec>() {
        return Some(unnest.list_column_indices().iter().map(|list| list.index_in_input_schema).collect());
    }
    node.name().ends_with("JoinExec").then(Vec::new)
}

/// Whether values are copied whole, and can be large.
pub(super) fn can_be_wide(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8View | DataType::BinaryView | DataType::Dictionary(..) | DataType::Null => false,
        DataType::Struct(fields) => fields.iter().any(|field| can_be_wide(field.data_type())),
        other => !other.is_primitive() && *other != DataType::Boolean,
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, TimeUnit};

    use super::*;

    #[test]
    fn views_and_numbers_are_never_wide() {
        let list = DataType::new_list(DataType::Float64, true);
        let fixed = DataType::FixedSizeList(Arc::new(Field::new("item", DataType::Int8, true)), 9);
        let of = |data_type: &DataType| {
            DataType::Struct([Field::new("a", data_type.clone(), true)].into_iter().collect())
        };
        for wide in [&DataType::Utf8, &DataType::LargeUtf8, &DataType::Binary, &list, &fixed] {
            assert!(can_be_wide(wide) && can_be_wide(&of(wide)), "{wide}");
        }
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        for narrow in
            [&DataType::Utf8View, &DataType::BinaryView, &DataType::Int64, &DataType::Boolean, &time]
        {
            assert!(!can_be_wide(narrow) && !can_be_wide(&of(narrow)), "{narrow}");
        }
    }
}
