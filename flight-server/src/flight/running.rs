//! The queries that run now, by the id in their ticket, so that another call can stop them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

/// Ids of running queries and how to stop them. One id runs several times when its ticket is fetched again.
#[derive(Debug, Default)]
pub(super) struct RunningQueries {
    by_id: Mutex<HashMap<Bytes, Vec<CancellationToken>>>,
}

impl RunningQueries {
    /// Registers a query until the guard is dropped.
    pub(super) fn start(self: &Arc<Self>, id: Bytes) -> RunningQuery {
        let token = CancellationToken::new();
        self.lock().entry(id.clone()).or_default().push(token.clone());
        RunningQuery { queries: Arc::clone(self), id, token }
    }

    /// Stops what runs under an id; whether anything did.
    pub(super) fn cancel(&self, id: &[u8]) -> bool {
        let queries = self.lock();
        let found = queries.get(id);
        found.into_iter().flatten().for_each(CancellationToken::cancel);
        found.is_some()
    }

    /// Stops everything.
    pub(super) fn cancel_all(&self) {
        self.lock().values().flatten().for_each(CancellationToken::cancel);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Bytes, Vec<CancellationToken>>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A query that runs; dropping it takes it off the list.
#[derive(Debug)]
pub(super) struct RunningQuery {
    queries: Arc<RunningQueries>,
    id: Bytes,
    token: CancellationToken,
}

impl RunningQuery {
    /// Resolves when somebody stops the query.
    pub(super) fn token(&self) -> &CancellationToken {
        &self.token
    }
}

impl Drop for RunningQuery {
    fn drop(&mut self) {
        let mut queries = self.queries.lock();
        if let Some(tokens) = queries.get_mut(&self.id) {
            // A token cannot be compared: cancelling ours marks it, and the others that are cancelled end as well.
            self.token.cancel();
            tokens.retain(|token| !token.is_cancelled());
            if tokens.is_empty() {
                queries.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancel_reaches_the_query_until_it_ends() {
        let queries = Arc::new(RunningQueries::default());
        let query = queries.start(Bytes::from_static(b"q"));
        assert!(!queries.cancel(b"other"));
        assert!(queries.cancel(b"q"));
        assert!(query.token().is_cancelled());
        drop(query);
        assert!(!queries.cancel(b"q"));
    }

    #[test]
    fn the_end_of_one_leaves_the_other_of_the_same_id() {
        let queries = Arc::new(RunningQueries::default());
        let first = queries.start(Bytes::from_static(b"q"));
        let second = queries.start(Bytes::from_static(b"q"));
        drop(first);
        assert!(!second.token().is_cancelled());
        assert!(queries.cancel(b"q"));
        assert!(second.token().is_cancelled());
    }
}
