//! `QueryStream`: the batches of a running query. Dropping it aborts the query's tasks and gives back its memory.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datafusion::{
    error::{DataFusionError, Result},
    execution::RecordBatchStream,
};
use futures::{FutureExt, Stream};
use tokio_util::{
    sync::{DropGuard, WaitForCancellationFutureOwned},
    task::AbortOnDropHandle,
};

use crate::{
    results::ResultReader,
    turn::{Stop, StopReason},
    watch::{QueryProgress, QueryRun},
};

/// The result of a query, batch by batch.
///
/// Ends with an error when the query is ended from outside ([`Stop`]); what waited to be read is given back then, also when nobody reads.
///
/// **Cancellation**: dropping the stream stops the query; its memory is given back as soon as its tasks have noticed.
pub struct QueryStream {
    schema: SchemaRef,
    batches: ResultReader,
    /// Pushes into `batches`; `None` once its end has been seen.
    task: Option<AbortOnDropHandle<()>>,
    stop: Stop,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    progress: Arc<QueryProgress>,
    /// Tells the log of queries; of a stream in a test, nobody.
    run: Option<QueryRun>,
    /// Tells what works for the query, wherever it is in its work, that nobody reads on.
    until_dropped: Option<DropGuard>,
}

impl QueryStream {
    pub(super) fn new(
        schema: SchemaRef,
        batches: ResultReader,
        task: AbortOnDropHandle<()>,
        progress: &Arc<QueryProgress>,
        stop: Stop,
    ) -> Self {
        let (stopped, progress) = (Box::pin(stop.wait()), Arc::clone(progress));
        let (run, until_dropped) = (None, None);
        Self { schema, batches, task: Some(task), stop, stopped, progress, run, until_dropped }
    }

    /// Tells the log of queries what becomes of this one.
    pub(super) fn logged(mut self, run: QueryRun) -> Self {
        self.run = Some(run);
        self
    }

    /// Ends the query with this stream.
    pub(super) fn ending(mut self, until_dropped: DropGuard) -> Self {
        self.until_dropped = Some(until_dropped);
        self
    }

    fn tell(&self, item: Option<&Result<RecordBatch>>) {
        let Some(run) = &self.run else { return };
        match item {
            Some(Ok(batch)) => run.sent(batch.num_rows()),
            Some(Err(error)) => run.failed(error),
            None => run.finished(),
        }
    }

    /// Its `query_id` in `system.queries`; 0 of a stream in a test.
    #[must_use]
    pub fn query_id(&self) -> u64 {
        self.run.as_ref().map_or(0, |run| run.query().id)
    }

    /// Columns of every batch.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }
}

impl Drop for QueryStream {
    /// A watcher must not keep the plan, which holds the snapshot and its memory.
    fn drop(&mut self) {
        self.progress.plan_ended();
    }
}

impl fmt::Debug for QueryStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryStream")
            .field("schema", &self.schema)
            .field("running", &self.task.is_some())
            .finish_non_exhaustive()
    }
}

impl Stream for QueryStream {
    type Item = Result<RecordBatch>;

    /// A closed channel means the end only when the task returned: after a panic it is an error, never a short answer.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.task.is_some() && self.stopped.as_mut().poll(cx).is_ready() {
            self.task = None;
            self.until_dropped = None;
            let reason = self.stop.reason().cloned().unwrap_or(StopReason::Cancelled);
            let end = Err(reason.into());
            self.tell(Some(&end));
            return Poll::Ready(Some(end));
        }
        if self.task.is_none() {
            return Poll::Ready(None);
        }
        if let Some(item) = ready!(self.batches.poll_recv(cx)) {
            self.tell(Some(&item));
            return Poll::Ready(Some(item));
        }
        if self.batches.is_finished() {
            self.task = None;
            self.tell(None);
            return Poll::Ready(None);
        }
        let Some(task) = self.task.as_mut() else { return Poll::Ready(None) };
        let end = ready!(task.poll_unpin(cx));
        self.task = None;
        let end = end.err().map(|error| Err(DataFusionError::ExecutionJoin(Box::new(error))));
        self.tell(end.as_ref());
        Poll::Ready(end)
    }
}

impl RecordBatchStream for QueryStream {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }
}
