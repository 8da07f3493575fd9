//! `Shutdown`: ends a server in a bounded time, whatever its clients do. What was acknowledged is durable before it begins; every step
//! only decides how much the next start finds in files and how much in the write-ahead log.
//!
//! ```text
//!  0 s   no more work: not ready, Flight accepts nothing, appends that wait for memory are refused
//!   ⋮    what was taken ends: batches become durable, queries are read to their end
//!  5 s   queries are cancelled
//!  6 s   connections are cut, of clients that do not read or send
//!   ⋮    the engine flushes and closes its stream, as soon as nothing is under way
//! 13 s   it is given up: the next start flushes what is left
//!   ⋮    HTTP, which has answered health checks all along, stops
//! ```

use std::{pin::pin, sync::Arc, time::Duration};

use hexflight_engine::{
    Engine, EngineError,
    time::{self, timeout, timeout_at},
};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::DropGuard;

use crate::{flight::FlightContext, http::HttpContext, listen::Open};

/// How long queries and acks may still take once a shutdown has begun.
const DRAIN_WAIT: Duration = Duration::from_secs(5);

/// How long a cancelled call may take to notice.
const CANCEL_WAIT: Duration = Duration::from_secs(1);

/// How long connections may take to end once they are cut.
const CUT_WAIT: Duration = Duration::from_millis(500);

/// How long all may take until the engine is closed. Kubernetes kills after 30 s, people lose their patience before.
const ENGINE_DEADLINE: Duration = Duration::from_secs(13);

/// How long HTTP may take to stop.
const HTTP_WAIT: Duration = Duration::from_millis(500);

/// The parts of a server that end.
#[derive(Debug)]
pub(crate) struct Shutdown {
    pub(crate) engine: Arc<Engine>,
    pub(crate) flight: Arc<FlightContext>,
    pub(crate) flight_stop: DropGuard,
    pub(crate) flight_task: JoinHandle<Result<(), tonic::transport::Error>>,
    pub(crate) http: Arc<HttpContext>,
    pub(crate) http_stop: DropGuard,
    pub(crate) http_task: JoinHandle<()>,
    /// Of both ports.
    pub(crate) connections: Vec<Arc<Open>>,
}

impl Shutdown {
    /// Runs all steps.
    ///
    /// # Errors
    /// The flush failed; the WAL keeps the rows for the next start.
    pub(crate) async fn run(self) -> Result<(), EngineError> {
        let deadline = time::now() + ENGINE_DEADLINE;
        self.http.readiness.set(Err("stopping: the server is shutting down"));
        self.engine.refuse_waiting();
        drop(self.flight_stop);
        self.flight.draining.cancel();
        let abort = self.flight_task.abort_handle();
        let work = async {
            self.flight.puts.close();
            self.http.requests.close();
            tokio::join!(self.flight.puts.wait(), self.http.requests.wait(), self.flight_task)
        };
        end_work(work, &self.flight, &self.connections, &abort).await;
        let flushed = timeout_at(deadline, self.engine.shutdown()).await.unwrap_or_else(|_| {
            tracing::warn!(
                "the flush is given up after {ENGINE_DEADLINE:?}: the next start finds the rows in the write-ahead log"
            );
            Ok(())
        });
        drop(self.http_stop);
        // A scraper that keeps its connection open must not hold up the exit.
        let _timed_out = timeout(HTTP_WAIT, self.http_task).await;
        flushed
    }
}

/// Waits for what is under way, and for less long the more there was to wait for.
async fn end_work(
    work: impl Future,
    flight: &FlightContext,
    connections: &[Arc<Open>],
    accepting: &AbortHandle,
) {
    let mut work = pin!(work);
    if timeout(DRAIN_WAIT, work.as_mut()).await.is_ok() {
        return;
    }
    flight.cancel_queries();
    if timeout(CANCEL_WAIT, work.as_mut()).await.is_ok() {
        return;
    }
    connections.iter().for_each(|open| open.close_all());
    if timeout(CUT_WAIT, work.as_mut()).await.is_err() {
        accepting.abort();
    }
}
