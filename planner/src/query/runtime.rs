//! `QueryRuntime`: the threads of queries, apart from those that serve the network. Queries are planned, and small ones run, on threads of
//! their own; large ones run on others, which stand back when anybody else has work.

use std::{future::Future, time::Duration};

use datafusion::error::{DataFusionError, Result};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::task::AbortOnDropHandle;

use crate::{admission::Class, options::QueryOptions};

/// Threads for blocking file reads, shared by the queries of a class, and for those that take the place of a query thread whose turn lasts: so
/// many, and as many more for each query thread. What a read takes is not counted, and a process with 96 threads held some 400 MiB more than
/// with 21 a few seconds before. Whoever finds none waits for a read or a piece of work to end, which is soon: nothing on them waits for anything else.
const BLOCKING_THREADS: usize = 16;
const BLOCKING_THREADS_EACH: usize = 8;

/// How long a thread waits for work before it ends. A thread that gave its place away keeps memory that others have freed until it works or
/// ends: with tokio's 10 s, dozens of them kept some MiB each.
const THREAD_KEPT: Duration = Duration::from_millis(500);

/// Two tokio runtimes with large stacks, shut down without waiting when dropped.
#[derive(Debug)]
pub(super) struct QueryRuntime {
    _small: QueryThreads,
    _large: QueryThreads,
    handles: QueryHandles,
}

impl QueryRuntime {
    pub(super) fn new(options: &QueryOptions) -> Result<Self> {
        let stand_back = options.stand_back.unwrap_or(|| ());
        let small = QueryThreads::start(options, "hexflight-query", || ())?;
        let large = QueryThreads::start(options, "hexflight-large", move || {
            Class::Large.set_of_thread();
            stand_back();
        })?;
        let handles = QueryHandles { small: small.handle.clone(), large: large.handle.clone() };
        Ok(Self { _small: small, _large: large, handles })
    }

    /// For tasks that start others.
    pub(super) fn handles(&self) -> &QueryHandles {
        &self.handles
    }

    /// Runs `work` on a thread for planning. **Cancellation**: dropping the future aborts it at its next await.
    ///
    /// # Errors
    /// Its own, and `ExecutionJoin` when it panics.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        joined(AbortOnDropHandle::new(self.handles.small.spawn(work)).await)?
    }

    /// Starts a task on a thread for planning; dropping the handle aborts it at its next await.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
        AbortOnDropHandle::new(self.handles.small.spawn(work))
    }
}

/// Where queries of each class run.
#[derive(Debug, Clone)]
pub(super) struct QueryHandles {
    small: Handle,
    large: Handle,
}

impl QueryHandles {
    /// Runs `work` on a thread for queries of a class; called from a thread for planning. **Cancellation**: dropping the future aborts it
    /// at its next await.
    ///
    /// # Errors
    /// `ExecutionJoin` when it panics.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        class: Class,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        match class {
            Class::Small => Ok(work.await),
            Class::Large => joined(AbortOnDropHandle::new(self.large.spawn(work)).await),
        }
    }
}

fn joined<T>(outcome: Result<T, tokio::task::JoinError>) -> Result<T> {
    outcome.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))
}

/// The threads of one class.
#[derive(Debug)]
struct QueryThreads {
    /// `None` only while being dropped.
    runtime: Option<Runtime>,
    handle: Handle,
}

impl QueryThreads {
    fn start(
        options: &QueryOptions,
        name: &str,
        at_start: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self> {
        let workers = options.target_partitions.max(1);
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers)
            .max_blocking_threads(BLOCKING_THREADS + BLOCKING_THREADS_EACH * workers)
            .thread_keep_alive(THREAD_KEPT)
            .thread_name(name)
            .thread_stack_size(options.stack_bytes)
            .on_thread_start(at_start)
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        Ok(Self { runtime: Some(runtime), handle })
    }
}

impl Drop for QueryThreads {
    /// A runtime must not block in its drop: the engine may be dropped inside another runtime.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, sync::Arc};

    use arrow::datatypes::Schema;
    use futures::StreamExt;

    use super::*;
    use crate::{
        QueryErrorKind, QueryProgress, QueryStream, classify,
        results::{WaitingMax, results},
        turn::Stop,
    };

    #[tokio::test]
    async fn a_panic_while_planning_is_an_internal_error() {
        let runtime = QueryRuntime::new(&QueryOptions::default()).unwrap();
        let error = runtime.run::<(), _>(async { panic!("on purpose") }).await.unwrap_err();
        assert_eq!(classify(&error).kind, QueryErrorKind::Internal);
    }

    #[tokio::test]
    async fn large_queries_have_threads_that_stand_back() {
        let options = QueryOptions { stand_back: Some(|| STANDS_BACK.set(true)), ..QueryOptions::default() };
        let runtime = QueryRuntime::new(&options).unwrap();
        let handles = runtime.handles().clone();
        let seen = runtime.run(async move {
            let small = handles.run(Class::Small, async { STANDS_BACK.get() }).await?;
            Ok((small, handles.run(Class::Large, async { STANDS_BACK.get() }).await?))
        });
        assert_eq!(seen.await.unwrap(), (false, true));
    }

    thread_local! {
        static STANDS_BACK: Cell<bool> = const { Cell::new(false) };
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
            _ = runtime.run(work) => {}
            begun = begun => begun.unwrap(),
        }
        assert!(ended.await.is_err());
    }
}
