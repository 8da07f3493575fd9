//! `BatchesExec`: says to what is below how many rows a batch has, and cuts and measures what goes into a join. See `short_batches.rs`.

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
use crate::functions::{Bounds, JOINED_ROWS, largest_bytes};

/// See the module.
#[derive(Debug)]
pub(super) struct BatchesExec {
    input: Arc<dyn ExecutionPlan>,
    /// Of a batch below.
    rows: usize,
    /// Those of what goes into a join.
    bounds: Option<Arc<Bounds>>,
}

impl BatchesExec {
    /// What goes into a join: made in batches of the usual length, and handed on in short ones whose rows are not too large.
    pub(super) fn into_join(
        input: Arc<dyn ExecutionPlan>,
        usual: usize,
        bounds: &Arc<Bounds>,
    ) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self { input, rows: usual, bounds: Some(Arc::clone(bounds)) })
    }

    /// What a join makes, in short batches.
    pub(super) fn out_of_join(join: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self { input: join, rows: JOINED_ROWS, bounds: None })
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
        Ok(Arc::new(Self { input, rows: self.rows, bounds: self.bounds.clone() }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let batches = self.input.execute(partition, with_batch_rows(&context, self.rows))?;
        let Some(bounds) = &self.bounds else { return Ok(batches) };
        let (schema, bounds) = (batches.schema(), Arc::clone(bounds));
        let wide = wide_columns(&schema);
        let short =
            batches.map(move |batch| batch.and_then(|batch| cut(&batch, &wide, &bounds)).map(stream::iter));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, short.try_flatten())))
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }
}

fn wide_columns(schema: &SchemaRef) -> Vec<usize> {
    let fields = schema.fields().iter().enumerate();
    fields.filter(|(_, field)| can_be_wide(field.data_type())).map(|(index, _)| index).collect()
}

/// # Errors
/// `Execution` when a row is too large to be copied for each row that it is joined with.
fn cut(batch: &RecordBatch, wide: &[usize], bounds: &Bounds) -> Result<Vec<Result<RecordBatch>>> {
    let bytes = wide.iter().map(|index| largest_bytes(batch.column(*index))).sum::<Result<u64>>()?;
    bounds.check_joined(bytes)?;
    let (rows, starts) = (batch.num_rows(), (0..batch.num_rows()).step_by(JOINED_ROWS));
    Ok(starts.map(|start| Ok(batch.slice(start, JOINED_ROWS.min(rows - start)))).collect())
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
