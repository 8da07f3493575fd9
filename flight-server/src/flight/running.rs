//! The queries that run now, by the id in their ticket, so that another call can stop or watch them. Of those that ended
//! lately the last report is kept.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use hexflight_planner::{Asker, ProgressReport, QueryProgress};
use tokio_util::sync::CancellationToken;

/// Reports kept of queries that ended: enough that who asks every second sees the end of a query on a busy server.
const ENDED_MAX: usize = 256;

/// Running queries and how to stop and watch them. One id runs several times when its ticket is fetched again.
#[derive(Debug, Default)]
pub(super) struct RunningQueries {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    running: HashMap<Bytes, Vec<Run>>,
    /// Oldest first.
    ended: VecDeque<(Bytes, ProgressReport)>,
}

#[derive(Debug)]
struct Run {
    token: CancellationToken,
    progress: Arc<QueryProgress>,
}

impl RunningQueries {
    /// Registers a query of an asker until the guard is dropped.
    pub(super) fn start(self: &Arc<Self>, id: Bytes, asker: Asker) -> RunningQuery {
        let (token, progress) = (CancellationToken::new(), QueryProgress::start_for(asker));
        let run = Run { token: token.clone(), progress: Arc::clone(&progress) };
        self.lock().running.entry(id.clone()).or_default().push(run);
        RunningQuery { queries: Arc::clone(self), id, token, progress }
    }

    /// Stops what runs under an id; whether anything did.
    pub(super) fn cancel(&self, id: &[u8]) -> bool {
        let inner = self.lock();
        let found = inner.running.get(id);
        found.into_iter().flatten().for_each(|run| run.token.cancel());
        found.is_some()
    }

    /// Stops everything.
    pub(super) fn cancel_all(&self) {
        self.lock().running.values().flatten().for_each(|run| run.token.cancel());
    }

    /// How far the latest run under an id is, or was when it ended; `None` if it never started or ended long ago.
    pub(super) fn report(&self, id: &[u8]) -> Option<ProgressReport> {
        let progress = {
            let inner = self.lock();
            match inner.running.get(id).and_then(|runs| runs.last()) {
                Some(run) => Arc::clone(&run.progress),
                None => {
                    let mut newest_first = inner.ended.iter().rev();
                    return newest_first.find(|(ended, _)| ended == id).map(|(_, report)| report.clone());
                }
            }
        };
        Some(progress.report())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A query that runs; dropping it takes it off the list.
#[derive(Debug)]
pub(super) struct RunningQuery {
    queries: Arc<RunningQueries>,
    id: Bytes,
    token: CancellationToken,
    progress: Arc<QueryProgress>,
}

impl RunningQuery {
    /// Resolves when somebody stops the query.
    pub(super) fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// What the query tells about itself.
    pub(super) fn progress(&self) -> &Arc<QueryProgress> {
        &self.progress
    }
}

impl Drop for RunningQuery {
    fn drop(&mut self) {
        self.progress.finish();
        let report = self.progress.report();
        let mut inner = self.queries.lock();
        if let Some(runs) = inner.running.get_mut(&self.id) {
            runs.retain(|run| !Arc::ptr_eq(&run.progress, &self.progress));
            if runs.is_empty() {
                inner.running.remove(&self.id);
            }
        }
        if inner.ended.len() >= ENDED_MAX {
            inner.ended.pop_front();
        }
        inner.ended.push_back((self.id.clone(), report));
    }
}

#[cfg(test)]
mod tests {
    use hexflight_planner::QueryState;

    use super::*;

    #[test]
    fn cancel_reaches_the_query_until_it_ends() {
        let queries = Arc::new(RunningQueries::default());
        let query = queries.start(Bytes::from_static(b"q"), Asker::default());
        assert!(!queries.cancel(b"other"));
        assert!(queries.cancel(b"q"));
        assert!(query.token().is_cancelled());
        drop(query);
        assert!(!queries.cancel(b"q"));
    }

    #[test]
    fn the_end_of_one_leaves_the_other_of_the_same_id() {
        let queries = Arc::new(RunningQueries::default());
        let first = queries.start(Bytes::from_static(b"q"), Asker::default());
        let second = queries.start(Bytes::from_static(b"q"), Asker::default());
        drop(first);
        assert!(!second.token().is_cancelled());
        assert!(queries.cancel(b"q"));
        assert!(second.token().is_cancelled());
    }

    #[test]
    fn a_report_outlives_its_query_for_a_while() {
        let queries = Arc::new(RunningQueries::default());
        assert_eq!(queries.report(b"q"), None);
        let query = queries.start(Bytes::from_static(b"q"), Asker::default());
        assert_eq!(queries.report(b"q").unwrap().state, QueryState::Planning);
        drop(query);
        assert_eq!(queries.report(b"q").unwrap().state, QueryState::Done);
        (0..ENDED_MAX).for_each(|_| drop(queries.start(Bytes::from_static(b"another"), Asker::default())));
        assert_eq!(queries.report(b"q"), None);
        assert_eq!(queries.lock().ended.len(), ENDED_MAX);
        assert!(queries.lock().running.is_empty());
    }
}
