//! The queries that run now, by the id in their ticket, so that another call can stop or watch them. Of those that ended
//! lately the last report is kept.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use hexflight_planner::{Asker, ProgressReport, QueryProgress, StopReason};
use parking_lot::{Mutex, MutexGuard};

/// Reports kept of queries that ended: enough that who asks every second sees the end of a query on a busy server.
const ENDED_MAX: usize = 256;

/// Running queries and how to stop and watch them. One id runs several times when its ticket is fetched again.
#[derive(Debug, Default)]
pub(super) struct RunningQueries {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    running: HashMap<Bytes, Vec<Arc<QueryProgress>>>,
    /// Oldest first.
    ended: VecDeque<Ended>,
}

#[derive(Debug)]
struct Ended {
    id: Bytes,
    user: Option<Arc<str>>,
    report: ProgressReport,
}

impl RunningQueries {
    /// Registers a query until the guard is dropped.
    pub(super) fn start(self: &Arc<Self>, id: Bytes, progress: Arc<QueryProgress>) -> RunningQuery {
        self.lock().running.entry(id.clone()).or_default().push(Arc::clone(&progress));
        RunningQuery { queries: Arc::clone(self), id, progress }
    }

    /// Stops what runs under an id, if the asker may see it; whether anything did.
    pub(super) fn cancel(&self, id: &[u8], asker: &Asker) -> bool {
        let inner = self.lock();
        let seen = |run: &&Arc<QueryProgress>| asker.sees(run.asker().user.as_ref());
        let found: Vec<_> = inner.running.get(id).into_iter().flatten().filter(seen).collect();
        found.iter().for_each(|run| run.stop().stop(StopReason::Cancelled));
        !found.is_empty()
    }

    /// How far the latest run under an id is, or was when it ended; `None` if it never started, ended long ago, or is not for the asker to see.
    pub(super) fn report(&self, id: &[u8], asker: &Asker) -> Option<ProgressReport> {
        let progress = {
            let inner = self.lock();
            let seen = |run: &&Arc<QueryProgress>| asker.sees(run.asker().user.as_ref());
            match inner.running.get(id).and_then(|runs| runs.iter().rev().find(seen)) {
                Some(run) => Arc::clone(run),
                None => {
                    let found = |ended: &&Ended| ended.id == id && asker.sees(ended.user.as_ref());
                    return inner.ended.iter().rev().find(found).map(|ended| ended.report.clone());
                }
            }
        };
        Some(progress.report())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }
}

/// A query that runs; dropping it takes it off the list.
#[derive(Debug)]
pub(super) struct RunningQuery {
    queries: Arc<RunningQueries>,
    id: Bytes,
    progress: Arc<QueryProgress>,
}

impl Drop for RunningQuery {
    fn drop(&mut self) {
        self.progress.finish();
        let report = self.progress.report();
        let mut inner = self.queries.lock();
        if let Some(runs) = inner.running.get_mut(&self.id) {
            runs.retain(|run| !Arc::ptr_eq(run, &self.progress));
            if runs.is_empty() {
                inner.running.remove(&self.id);
            }
        }
        if inner.ended.len() >= ENDED_MAX {
            inner.ended.pop_front();
        }
        let user = self.progress.asker().user.clone();
        inner.ended.push_back(Ended { id: self.id.clone(), user, report });
    }
}

#[cfg(test)]
mod tests {
    use hexflight_planner::QueryState;

    use super::*;

    #[test]
    fn cancel_reaches_the_query_until_it_ends() {
        let queries = Arc::new(RunningQueries::default());
        let query = queries.start(Bytes::from_static(b"q"), QueryProgress::start());
        assert!(!queries.cancel(b"other", &Asker::default()));
        assert!(queries.cancel(b"q", &Asker::default()));
        assert!(query.progress.stop().reason().is_some());
        drop(query);
        assert!(!queries.cancel(b"q", &Asker::default()));
    }

    #[test]
    fn the_end_of_one_leaves_the_other_of_the_same_id() {
        let queries = Arc::new(RunningQueries::default());
        let first = queries.start(Bytes::from_static(b"q"), QueryProgress::start());
        let second = queries.start(Bytes::from_static(b"q"), QueryProgress::start());
        drop(first);
        assert!(second.progress.stop().reason().is_none());
        assert!(queries.cancel(b"q", &Asker::default()));
        assert!(second.progress.stop().reason().is_some());
    }

    #[test]
    fn a_report_outlives_its_query_for_a_while() {
        let queries = Arc::new(RunningQueries::default());
        assert_eq!(queries.report(b"q", &Asker::default()), None);
        let query = queries.start(Bytes::from_static(b"q"), QueryProgress::start());
        assert_eq!(queries.report(b"q", &Asker::default()).unwrap().state, QueryState::Planning);
        drop(query);
        assert_eq!(queries.report(b"q", &Asker::default()).unwrap().state, QueryState::Done);
        (0..ENDED_MAX)
            .for_each(|_| drop(queries.start(Bytes::from_static(b"another"), QueryProgress::start())));
        assert_eq!(queries.report(b"q", &Asker::default()), None);
        assert_eq!(queries.lock().ended.len(), ENDED_MAX);
        assert!(queries.lock().running.is_empty());
    }

    #[test]
    fn a_query_is_its_users_and_admins() {
        let user = |name: &str, sees_all| Asker { user: Some(name.into()), sees_all };
        let queries = Arc::new(RunningQueries::default());
        let query = queries.start(Bytes::from_static(b"q"), QueryProgress::start_for(user("ada", false)));
        assert!(!queries.cancel(b"q", &user("bob", false)));
        assert_eq!(queries.report(b"q", &user("bob", false)), None);
        assert!(queries.report(b"q", &user("ada", false)).is_some());
        assert!(queries.cancel(b"q", &user("root", true)));
        drop(query);
        assert_eq!(queries.report(b"q", &user("bob", false)), None);
        assert!(queries.report(b"q", &user("ada", false)).is_some());
    }
}
