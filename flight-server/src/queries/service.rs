//! `QueryService`: the frame around every query.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hexflight_planner::{
    Asker, DataFusionError, ProgressReport, QueryEngine, QueryProgress, QueryStream, ScalarValue, StopReason,
};
use tokio_util::task::AbortOnDropHandle;

use super::running::{RunningQueries, RunningQuery};
use crate::telemetry::QueryTimer;
use hexflight_engine::{tasks, time};

/// How long a client wants to wait at most, and the name of its setting.
pub(crate) type OwnLimit = (Duration, &'static str);

/// See the module.
#[derive(Debug)]
pub(crate) struct QueryService {
    engine: Arc<QueryEngine>,
    /// After which any query is ended.
    limit: Option<Duration>,
    running: Arc<RunningQueries>,
}

impl QueryService {
    pub(crate) fn new(engine: Arc<QueryEngine>, limit: Option<Duration>) -> Self {
        Self { engine, limit, running: Arc::default() }
    }

    /// What plans and runs; for schemas and catalogs, which are no queries.
    pub(crate) fn engine(&self) -> &QueryEngine {
        &self.engine
    }

    /// Begins a query. Its time runs from here.
    pub(crate) fn begin(&self, asker: Asker, own: Option<OwnLimit>) -> Asked {
        let progress = QueryProgress::start_for(asker);
        let limit = shorter(own, self.limit).map(|(limit, reason)| {
            let stop = progress.stop().clone();
            AbortOnDropHandle::new(tasks::spawn(async move {
                time::sleep(limit).await;
                stop.stop(reason);
            }))
        });
        let engine = Arc::clone(&self.engine);
        Asked { engine, progress, timer: QueryTimer::start(), _limit: limit, _named: None }
    }

    /// Begins a query that other calls know by an id of their own.
    pub(crate) fn begin_named(&self, id: Bytes, asker: Asker, own: Option<OwnLimit>) -> Asked {
        let asked = self.begin(asker, own);
        let named = self.running.start(id, Arc::clone(&asked.progress));
        Asked { _named: Some(named), ..asked }
    }

    /// Ends what runs under a name, if the asker may see it; whether anything did.
    pub(crate) fn stop_named(&self, id: &[u8], asker: &Asker) -> bool {
        self.running.cancel(id, asker)
    }

    /// How far the latest query under a name is, or was when it ended; `None` if it never started, ended long ago, or is not for the asker to see.
    pub(crate) fn report(&self, id: &[u8], asker: &Asker) -> Option<ProgressReport> {
        self.running.report(id, asker)
    }

    /// Ends a query by its `query_id` in `system.queries`, if the asker may see it; whether it had not ended yet.
    pub(crate) fn stop(&self, query_id: u64, asker: &Asker) -> bool {
        self.engine.stop(query_id, asker)
    }

    /// Ends all, because the process ends.
    pub(crate) fn stop_all(&self) {
        self.engine.stop_all(&StopReason::ShuttingDown);
    }
}

/// The shorter limit holds, the client's or the server's.
fn shorter(own: Option<OwnLimit>, server: Option<Duration>) -> Option<(Duration, StopReason)> {
    match own {
        Some((own, setting)) if server.is_none_or(|server| own < server) => {
            Some((own, StopReason::OwnLimit(own, setting)))
        }
        _ => server.map(|server| (server, StopReason::ServerLimit(server))),
    }
}

/// A query that has begun; dropping it takes it off all lists. It lives as long as the stream of its rows.
#[derive(Debug)]
pub(crate) struct Asked {
    engine: Arc<QueryEngine>,
    progress: Arc<QueryProgress>,
    timer: QueryTimer,
    _limit: Option<AbortOnDropHandle<()>>,
    _named: Option<RunningQuery>,
}

impl Asked {
    /// Runs a statement, also one after the other. Its stream ends with an error when the query is ended.
    ///
    /// **Cancellation**: dropping the future, or the stream, stops the statement.
    ///
    /// # Errors
    /// As [`QueryEngine::execute`].
    pub(crate) async fn run(
        &self,
        sql: &str,
        params: Vec<ScalarValue>,
    ) -> Result<QueryStream, DataFusionError> {
        self.engine.execute_watched(sql, params, &self.progress).await
    }

    /// Counts rows that leave.
    pub(crate) fn rows_sent(&self, rows: usize) {
        self.timer.rows_sent(rows);
    }

    /// Resolves when the query is ended from outside, with what to say then.
    pub(crate) async fn stopped(&self) -> DataFusionError {
        self.progress.stop().stopped().await.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_limit_holds() {
        let (one, two, three) = (Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(3));
        let own = |limit| StopReason::OwnLimit(limit, "timeout_ms");
        let table = [
            (None, None, None),
            (None, Some(one), Some((one, StopReason::ServerLimit(one)))),
            (Some(two), None, Some((two, own(two)))),
            (Some(two), Some(one), Some((one, StopReason::ServerLimit(one)))),
            (Some(two), Some(three), Some((two, own(two)))),
        ];
        for (client, server, expected) in table {
            let client = client.map(|limit| (limit, "timeout_ms"));
            assert_eq!(shorter(client, server), expected, "{client:?} {server:?}");
        }
    }
}
