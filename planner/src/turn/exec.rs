//! `Turns`: each poll of what is below is a turn of the query, and now and then the thread is given back between two batches. DataFusion
//! lets leaves do the latter, which is enough while rows come from them; but a join can make billions of rows of a few that it read long
//! ago, and an aggregate above it would never stop asking.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datafusion::{
    error::Result,
    execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext},
    physical_plan::{ExecutionPlan, PlanProperties, coop::make_cooperative, execution_plan::SchedulingType},
};
use futures::Stream;

use super::{Ended, within};
use crate::through::{Through, ThroughExec};

/// See the module.
#[derive(Debug)]
pub(crate) struct Turns;

impl Turns {
    /// The node above `input`.
    pub(crate) fn above(input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Arc::new(ThroughExec::new(input, Self))
    }
}

impl Through for Turns {
    const NAME: &'static str = "TurnExec";

    fn anew(&self) -> Self {
        Self
    }

    fn execute(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let ended = Ended::of(&context);
        let node = Arc::from(input.name());
        let inner = input.execute(partition, context)?;
        Ok(make_cooperative(Box::pin(TurnStream { inner, ended, node })))
    }

    fn properties(input: &Arc<dyn ExecutionPlan>) -> Arc<PlanProperties> {
        let properties = PlanProperties::clone(input.properties());
        Arc::new(properties.with_scheduling_type(SchedulingType::Cooperative))
    }
}

struct TurnStream {
    inner: SendableRecordBatchStream,
    ended: Ended,
    /// The name of what is below.
    node: Arc<str>,
}

impl Stream for TurnStream {
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

impl RecordBatchStream for TurnStream {
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
        let mut rows = TurnStream { inner, ended: Ended::with(&token), node: "HashJoinExec".into() };
        assert!(rows.next().await.is_some_and(|batch| batch.is_ok()));
        token.cancel();
        let end = rows.next().await;
        assert!(matches!(&end, Some(Err(error)) if error.to_string().contains("has ended")), "{end:?}");
    }
}
