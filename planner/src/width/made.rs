//! What a node makes of each row of its input before anybody counts it: columns of a projection, a condition, arguments and groups of an
//! aggregate, keys of a sort. A few columns are small whatever they are, since what is large is reserved; a statement of thousands of them is not.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    error::Result,
    physical_expr::{
        PhysicalExpr,
        expressions::{Column, Literal},
    },
    physical_plan::{
        ExecutionPlan,
        aggregates::{AggregateExec, AggregateMode},
        filter::FilterExec,
        projection::ProjectionExec,
        sorts::{sort::SortExec, sort_preserving_merge::SortPreservingMergeExec},
        windows::BoundedWindowAggExec,
    },
};

use crate::functions::{BATCH_ROWS, UNRESERVED_ROW_BYTES, scalar_bytes};

/// What a batch may have in columns that are not reserved: eight of texts, more of numbers. **Units**: bytes.
const MADE_BYTES_MAX: u64 = 8 * UNRESERVED_ROW_BYTES * BATCH_ROWS;

/// A number, or the state of an aggregate of numbers, with what stands around it. **Units**: bytes.
const NUMBER_BYTES: u64 = 16;

/// A row of the groups of one grouping set. **Units**: bytes.
const GROUP_BYTES: u64 = UNRESERVED_ROW_BYTES / 2;

/// Rows of a batch that a scan hands on as it lies in memory, at most.
const SCANNED_ROWS: u64 = 65_536;

/// A truth, with what stands around it. **Units**: bytes.
const TRUTH_BYTES: u64 = 1;

/// How many rows a batch of the node's input may have, if those of the longest are too many.
///
/// # Errors
/// None of its own: those of a walk through the node's expressions.
pub(crate) fn rows_at_once(node: &Arc<dyn ExecutionPlan>) -> Result<Option<usize>> {
    let bytes = made_bytes(node)?;
    let rows = MADE_BYTES_MAX / bytes.max(1);
    Ok((rows < SCANNED_ROWS).then(|| usize::try_from(rows.clamp(1, BATCH_ROWS)).unwrap_or(usize::MAX)))
}

/// What the node makes of a row. **Units**: bytes.
fn made_bytes(node: &Arc<dyn ExecutionPlan>) -> Result<u64> {
    let makes = node.is::<ProjectionExec>()
        || node.is::<FilterExec>()
        || node.is::<SortExec>()
        || node.is::<SortPreservingMergeExec>()
        || node.is::<BoundedWindowAggExec>();
    if makes {
        return of_expressions(node);
    }
    match node.downcast_ref::<AggregateExec>() {
        Some(aggregate) if is_first(aggregate.mode()) => {
            let states = NUMBER_BYTES * count(aggregate.aggr_expr().len());
            let groups = match aggregate.group_expr().groups().len() {
                0 | 1 => 0,
                sets => GROUP_BYTES * count(sets),
            };
            Ok(of_expressions(node)?.saturating_add(states).saturating_add(groups))
        }
        _ => Ok(0),
    }
}

fn of_expressions(node: &Arc<dyn ExecutionPlan>) -> Result<u64> {
    let Some(schema) = node.children().first().map(|input| input.schema()) else { return Ok(0) };
    let mut bytes = 0_u64;
    node.apply_expressions(&mut |expression: &Arc<dyn PhysicalExpr>| {
        bytes = bytes.saturating_add(of_expression(expression, &schema)?);
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(bytes)
}

/// What a column takes, and all that it is made of: some of it is there at once. A constant inside of an expression is one value.
fn of_expression(expression: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<u64> {
    if let Some(constant) = expression.downcast_ref::<Literal>() {
        let value = constant.value();
        return Ok(match of_type(&value.data_type()) {
            UNRESERVED_ROW_BYTES => scalar_bytes(value).saturating_add(NUMBER_BYTES),
            number => number,
        });
    }
    let mut bytes = 0_u64;
    expression.apply(|part| {
        if !part.is::<Column>() && !part.is::<Literal>() {
            let own = part.data_type(schema).map_or(UNRESERVED_ROW_BYTES, |made| of_type(&made));
            bytes = bytes.saturating_add(own);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(bytes)
}

fn of_type(made: &DataType) -> u64 {
    match made {
        DataType::Boolean | DataType::Null => TRUTH_BYTES,
        number if number.is_primitive() => NUMBER_BYTES,
        _ => UNRESERVED_ROW_BYTES,
    }
}

/// Whether an aggregate reads rows, not states.
fn is_first(mode: &AggregateMode) -> bool {
    matches!(mode, AggregateMode::Partial | AggregateMode::Single | AggregateMode::SinglePartitioned)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
