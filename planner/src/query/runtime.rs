//! `QueryRuntime`: the threads that plan and run queries, apart from those that serve the network.

use std::future::Future;

use datafusion::error::{DataFusionError, Result};
use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;

use super::QueryOptions;

/// Threads for blocking file reads, shared by all queries, and for those that take the place of a query thread whose turn lasts.
const BLOCKING_THREADS_MAX: usize = 512;

/// A tokio runtime with large stacks, shut down without waiting when dropped.
#[derive(Debug)]
pub(super) struct QueryRuntime {
    /// `None` only while being dropped.
    runtime: Option<Runtime>,
    handle: tokio::runtime::Handle,
}

impl QueryRuntime {
    pub(super) fn new(options: &QueryOptions) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(options.target_partitions.max(1))
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .thread_name("hexflight-query")
            .thread_stack_size(options.stack_bytes)
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        Ok(Self { runtime: Some(runtime), handle })
    }

    /// Runs `work` on a query thread. **Cancellation**: dropping the future aborts it at its next await.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        AbortOnDropHandle::new(self.handle.spawn(work))
            .await
            .map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))?
    }

    /// Starts a task on the query threads; dropping the handle aborts it at its next await.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
        AbortOnDropHandle::new(self.handle.spawn(work))
    }
}

impl Drop for QueryRuntime {
    /// A runtime must not block in its drop: the engine may be dropped inside another runtime.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Schema;
    use futures::StreamExt;

    use super::*;
    use crate::{
        QueryErrorKind, QueryProgress, QueryStream, classify,
        query::{
            Stop,
            results::{WaitingMax, results},
        },
    };

    #[tokio::test]
    async fn a_panic_while_planning_is_an_internal_error() {
        let runtime = QueryRuntime::new(&QueryOptions::default()).unwrap();
        let error = runtime.run::<(), _>(async { panic!("on purpose") }).await.unwrap_err();
        assert_eq!(classify(&error).kind, QueryErrorKind::Internal);
    }

    #[tokio::test]
    async fn a_panic_while_running_ends_the_stream_with_an_internal_error() {
        let runtime = QueryRuntime::new(&QueryOptions::default()).unwrap();
        let (sender, reader) = results(WaitingMax { batches: 1, bytes: 1 });
        let task = runtime.spawn(async move {
            let _sender = sender;
            panic!("on purpose")
        });
        let schema = Arc::new(Schema::empty());
        let stream = QueryStream::new(schema, reader, task, &QueryProgress::start(), Stop::default());
        let items: Vec<_> = stream.collect().await;
        assert_eq!(items.len(), 1);
        assert_eq!(classify(items[0].as_ref().unwrap_err()).kind, QueryErrorKind::Internal);
    }

    #[tokio::test]
    async fn planning_that_nobody_waits_for_is_aborted() {
        let runtime = QueryRuntime::new(&QueryOptions::default()).unwrap();
        let (started, begun) = tokio::sync::oneshot::channel();
        let (dropped, ended) = tokio::sync::oneshot::channel::<()>();
        let work = async move {
            let _dropped = dropped;
            started.send(()).unwrap();
            std::future::pending::<Result<()>>().await
        };
        tokio::select! {
            _ = runtime.run(work) => unreachable!(),
            begun = begun => begun.unwrap(),
        }
        assert!(ended.await.is_err());
    }
}
