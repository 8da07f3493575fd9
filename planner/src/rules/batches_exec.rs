//! `BatchesExec`: says to what is below how many rows a batch has, and cuts and measures what goes into a node that copies values. See `short_batches.rs`.

use std::{fmt, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datafusion::{
    common::tree_node::TreeNodeRecursion,
    error::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::PhysicalExpr,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, execution_plan::CardinalityEffect,
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, TryStreamExt, stream};

use super::short_batches::can_be_wide;
use crate::functions::{Bounds, JOINED_ROWS, bytes_of, largest_bytes, leaves_of};

/// See the module.
#[derive(Debug)]
pub(super) struct BatchesExec {
    input: Arc<dyn ExecutionPlan>,
    /// Of a batch below.
    rows: usize,
    /// Of what goes into a node that copies values.
    copied: Option<Copied>,
}

/// How the rows of a node's input are copied: for each partner, or for each item of their lists.
#[derive(Debug, Clone)]
pub(super) struct Copied {
    pub(super) bounds: Arc<Bounds>,
    /// Lists that are unnested, by column; none of a join.
    pub(super) lists: Vec<usize>,
}

impl BatchesExec {
    /// What goes into a node that copies: made in batches of the usual length, and handed on in short ones whose rows are not too large.
    pub(super) fn into_node(
        input: Arc<dyn ExecutionPlan>,
        usual: usize,
        copied: Copied,
    ) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self { input, rows: usual, copied: Some(copied) })
    }

    /// What such a node makes, in short batches.
    pub(super) fn out_of_node(node: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self { input: node, rows: JOINED_ROWS, copied: None })
    }
}

impl DisplayAs for BatchesExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BatchesExec: rows={}", self.rows)
    }
}

impl ExecutionPlan for BatchesExec {
    fn name(&self) -> &'static str {
        "BatchesExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.into_iter().next().unwrap_or_else(|| Arc::clone(&self.input));
        Ok(Arc::new(Self { input, rows: self.rows, copied: self.copied.clone() }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let batches = self.input.execute(partition, with_batch_rows(&context, self.rows))?;
        let Some(copied) = self.copied.clone() else { return Ok(batches) };
        let schema = batches.schema();
        let wide = wide_columns(&schema, &copied.lists);
        let short =
            batches.map(move |batch| batch.and_then(|batch| copied.cut(&batch, &wide)).map(stream::iter));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, short.try_flatten())))
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }
}

/// Columns whose values are copied.
pub(super) fn wide_columns(schema: &SchemaRef, lists: &[usize]) -> Vec<usize> {
    let fields = schema.fields().iter().enumerate();
    let wide = fields.filter(|(index, field)| !lists.contains(index) && can_be_wide(field.data_type()));
    wide.map(|(index, _)| index).collect()
}

impl Copied {
    /// # Errors
    /// `Execution` when a row is too large to be copied so often.
    fn cut(&self, batch: &RecordBatch, wide: &[usize]) -> Result<Vec<Result<RecordBatch>>> {
        let largest = wide.iter().map(|index| largest_bytes(batch.column(*index)));
        self.bounds.check_joined(largest.sum::<Result<u64>>()?)?;
        if !self.lists.is_empty() {
            (0..batch.num_rows()).try_for_each(|row| self.check_unnested(batch, wide, row))?;
        }
        let (rows, starts) = (batch.num_rows(), (0..batch.num_rows()).step_by(JOINED_ROWS));
        Ok(starts.map(|start| Ok(batch.slice(start, JOINED_ROWS.min(rows - start)))).collect())
    }

    fn check_unnested(&self, batch: &RecordBatch, wide: &[usize], row: usize) -> Result<()> {
        let items = self.lists.iter().map(|index| leaves_of(batch.column(*index), row)).max();
        let bytes = wide.iter().map(|index| bytes_of(batch.column(*index), row)).sum();
        self.bounds.check_unnested(items.unwrap_or_default(), bytes)
    }
}

fn with_batch_rows(context: &TaskContext, rows: usize) -> Arc<TaskContext> {
    Arc::new(TaskContext::new(
        context.task_id(),
        context.session_id(),
        context.session_config().clone().with_batch_size(rows),
        context.scalar_functions().clone(),
        context.higher_order_functions().clone(),
        context.aggregate_functions().clone(),
        context.window_functions().clone(),
        context.runtime_env(),
    ))
}
