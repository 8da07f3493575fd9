//! `TurnExec`: each poll of what is below is a turn of the query, and now and then the thread is given back between two batches. DataFusion
//! lets leaves do the latter, which is enough while rows come from them; but a join can make billions of rows of a few that it read long
//! ago, and an aggregate above it would never stop asking.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datafusion::{
    common::tree_node::TreeNodeRecursion,
    error::Result,
    execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext},
    physical_expr::PhysicalExpr,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
        coop::make_cooperative,
        execution_plan::{CardinalityEffect, SchedulingType},
    },
};
use futures::Stream;

use super::{Ended, within};

/// See the module. Made after all rules: none of them has to look through it.
#[derive(Debug)]
pub(crate) struct TurnExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl TurnExec {
    pub(crate) fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = PlanProperties::clone(input.properties());
        let properties = Arc::new(properties.with_scheduling_type(SchedulingType::Cooperative));
        Self { input, properties }
    }
}

impl DisplayAs for TurnExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TurnExec")
    }
}

impl ExecutionPlan for TurnExec {
    fn name(&self) -> &'static str {
        "TurnExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
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
        Ok(Arc::new(Self::new(input)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let ended = Ended::of(&context);
        let node = Arc::from(self.input.name());
        let inner = self.input.execute(partition, context)?;
        Ok(make_cooperative(Box::pin(Turns { inner, ended, node })))
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }
}

struct Turns {
    inner: SendableRecordBatchStream,
    ended: Ended,
    /// The name of what is below.
    node: Arc<str>,
}

impl Stream for Turns {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { inner, ended, node } = &mut *self;
        // A batch may take long, and whoever is above may ask for all of them in one poll.
        if let Err(error) = ended.check() {
            return Poll::Ready(Some(Err(error)));
        }
        // With its place among the threads: without it nobody below would count how long he has been at work.
        within(ended, node, || inner.as_mut().poll_next(context))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl RecordBatchStream for Turns {
    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Schema;
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
    use futures::{StreamExt, stream};
    use tokio_util::sync::CancellationToken;

    use super::*;

    #[tokio::test]
    async fn rows_end_with_their_query() {
        let schema = Arc::new(Schema::empty());
        let batch = RecordBatch::new_empty(Arc::clone(&schema));
        let endless = stream::repeat_with(move || Ok(batch.clone()));
        let inner = Box::pin(RecordBatchStreamAdapter::new(schema, endless));
        let token = CancellationToken::new();
        let mut rows = Turns { inner, ended: Ended::with(&token), node: "HashJoinExec".into() };
        assert!(rows.next().await.is_some_and(|batch| batch.is_ok()));
        token.cancel();
        let end = rows.next().await;
        assert!(matches!(&end, Some(Err(error)) if error.to_string().contains("has ended")), "{end:?}");
    }
}
