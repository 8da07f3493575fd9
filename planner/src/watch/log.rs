//! `QueryLog`: the statements of this process that run or have run lately, for the table `system.queries`. Knows of a query what its
//! start, its batches and its end tell; a guard in the query's stream notices every way to end.

use std::{
    collections::VecDeque,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use datafusion::{error::DataFusionError, physical_plan::ExecutionPlan};
use hexflight_engine::{
    Clock, SystemClock,
    time::{self, Instant},
};
use parking_lot::{Mutex, MutexGuard};

use super::{Asker, ProgressReport, QueryProgress, QueryState};
use crate::{
    QueryErrorKind,
    error::classify,
    memory::QueryMemory,
    results::ReaderWatch,
    turn::{Stop, StopReason},
};

/// Statements kept; the oldest that has ended goes first.
const ENTRIES_MAX: usize = 1_000;

/// Longer statements and errors are cut. **Units**: bytes.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct QueryLog {
    entries: Mutex<VecDeque<Arc<LoggedQuery>>>,
    started: AtomicU64,
}

impl QueryLog {
    /// Notes a statement that is about to be planned.
    pub(crate) fn start(&self, sql: &str, asker: &Asker, stop: &Stop) -> QueryRun {
        let query = Arc::new(LoggedQuery {
            id: self.started.fetch_add(1, Ordering::Relaxed) + 1,
            sql: cut(sql).into(),
            user: asker.user.clone(),
            started_micros: SystemClock.now_micros(),
            progress: QueryProgress::start(),
            stop: stop.clone(),
            memory: Arc::default(),
            reader: OnceLock::new(),
            begun: time::now(),
            rows: AtomicU64::new(0),
            planning: OnceLock::new(),
            outcome: OnceLock::new(),
        });
        let mut entries = self.lock();
        if entries.len() >= ENTRIES_MAX {
            let ended = entries.iter().position(|entry| entry.outcome.get().is_some());
            entries.remove(ended.unwrap_or(0));
        }
        entries.push_back(Arc::clone(&query));
        QueryRun { query }
    }

    /// Ends a query that an asker may end; whether there is such a one that has not ended yet.
    pub(crate) fn stop(&self, id: u64, asker: &Asker) -> bool {
        let query =
            self.running().into_iter().find(|query| query.id == id && asker.sees(query.user.as_ref()));
        if let Some(query) = &query {
            query.stop.stop(StopReason::Cancelled);
        }
        query.is_some()
    }

    /// All that have not ended, oldest first.
    pub(crate) fn running(&self) -> Vec<Arc<LoggedQuery>> {
        self.entries().into_iter().filter(|query| query.outcome.get().is_none()).collect()
    }

    /// All that are kept, oldest first.
    pub(crate) fn entries(&self) -> Vec<Arc<LoggedQuery>> {
        self.lock().iter().map(Arc::clone).collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<LoggedQuery>>> {
        self.entries.lock()
    }
}

/// How a query ended.
#[derive(Debug)]
enum Outcome {
    Finished,
    Failed(Box<str>),
    Cancelled,
}

/// One run of a statement.
#[derive(Debug)]
pub(crate) struct LoggedQuery {
    /// In order of starts, from 1.
    pub(crate) id: u64,
    pub(crate) sql: Box<str>,
    pub(crate) user: Option<Arc<str>>,
    /// **Units**: µs since 1970.
    pub(crate) started_micros: i64,
    progress: Arc<QueryProgress>,
    pub(crate) stop: Stop,
    memory: Arc<QueryMemory>,
    reader: OnceLock<ReaderWatch>,
    begun: Instant,
    rows: AtomicU64,
    planning: OnceLock<Duration>,
    outcome: OnceLock<Outcome>,
}

impl LoggedQuery {
    /// `queued`, `running`, which planning is a part of, `finished`, `failed` or `cancelled`.
    pub(crate) fn state(&self) -> &'static str {
        match self.outcome.get() {
            None => match self.progress.report().state {
                QueryState::Queued => "queued",
                QueryState::Planning | QueryState::Running | QueryState::Done => "running",
            },
            Some(Outcome::Finished) => "finished",
            Some(Outcome::Failed(_)) => "failed",
            Some(Outcome::Cancelled) => "cancelled",
        }
    }

    /// What went wrong.
    pub(crate) fn error(&self) -> Option<&str> {
        match self.outcome.get() {
            Some(Outcome::Failed(error)) => Some(error),
            _ => None,
        }
    }

    /// How long planning took, once it is done.
    pub(crate) fn planning(&self) -> Option<Duration> {
        self.planning.get().copied()
    }

    /// Rows handed to the client so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// What it holds of the memory.
    pub(crate) fn memory(&self) -> &Arc<QueryMemory> {
        &self.memory
    }

    /// How long its oldest batch has been waiting for the reader; `None` when none waits.
    pub(crate) fn unread_for(&self) -> Option<Duration> {
        self.reader.get()?.unread_for()
    }

    /// Whoever will read its batches.
    pub(crate) fn read_by(&self, reader: ReaderWatch) {
        self.reader.get_or_init(|| reader);
    }

    /// It waits for its turn, or no longer.
    pub(crate) fn queued(&self, is_queued: bool) {
        self.progress.queued(is_queued);
    }

    /// The plan is made and about to run.
    pub(crate) fn planned(&self, plan: &Arc<dyn ExecutionPlan>) {
        self.planning.get_or_init(|| self.begun.elapsed());
        self.progress.plan_starts(plan);
    }

    /// The plan runs no longer.
    pub(crate) fn plan_ended(&self) {
        self.progress.plan_ended();
    }

    /// It was ended from outside, whether anybody hears of it or not.
    pub(crate) fn stopped(&self, reason: &StopReason) {
        let outcome = match reason {
            StopReason::Cancelled | StopReason::ShuttingDown => Outcome::Cancelled,
            _ => Outcome::Failed(cut(&reason.to_string()).into()),
        };
        self.progress.finish();
        drop(self.outcome.set(outcome));
    }

    /// Time so far, or in all, and what the scans have done.
    pub(crate) fn report(&self) -> ProgressReport {
        self.progress.report()
    }
}

/// A query that is planned or runs. Dropped before its end it counts as cancelled: nobody reads on.
#[derive(Debug)]
pub(crate) struct QueryRun {
    query: Arc<LoggedQuery>,
}

impl QueryRun {
    /// The query in the log.
    pub(crate) fn query(&self) -> &Arc<LoggedQuery> {
        &self.query
    }

    /// A batch leaves.
    pub(crate) fn sent(&self, rows: usize) {
        self.query.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// All batches have left.
    pub(crate) fn finished(&self) {
        self.end(Outcome::Finished);
    }

    /// Planning or running went wrong.
    pub(crate) fn failed(&self, error: &DataFusionError) {
        let failure = classify(error);
        self.end(match failure.kind {
            QueryErrorKind::Cancelled => Outcome::Cancelled,
            _ => Outcome::Failed(cut(&failure.message).into()),
        });
    }

    /// The first outcome stays. Lets go of the plan.
    fn end(&self, outcome: Outcome) {
        self.query.progress.finish();
        drop(self.query.outcome.set(outcome));
    }
}

impl Drop for QueryRun {
    fn drop(&mut self) {
        if self.query.outcome.get().is_none() {
            self.query.stopped(self.query.stop.reason().unwrap_or(&StopReason::Cancelled));
        }
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_bounded_and_keeps_what_runs() {
        let log = QueryLog::default();
        let running = log.start("SELECT 1", &Asker::default(), &Stop::default());
        for _ in 0..ENTRIES_MAX {
            log.start(&"é".repeat(TEXT_BYTES_MAX), &Asker::default(), &Stop::default()).finished();
        }
        let entries = log.entries();
        assert_eq!(entries.len(), ENTRIES_MAX);
        assert_eq!((entries[0].id, entries[0].state()), (1, "running"));
        assert_eq!(
            (entries[1].id, entries[1].state(), entries[1].sql.len()),
            (3, "finished", TEXT_BYTES_MAX)
        );
        drop(running);
        assert_eq!(entries[0].state(), "cancelled");
        drop(log.start("SELECT 2", &Asker::default(), &Stop::default()));
        assert_eq!(log.entries()[0].id, 3);
    }

    #[test]
    fn the_first_end_stays() {
        let log = QueryLog::default();
        let run =
            log.start("SELECT 1", &Asker { user: Some("ada".into()), sees_all: false }, &Stop::default());
        run.failed(&DataFusionError::Plan("no such column".to_owned()));
        run.finished();
        drop(run);
        let query = log.entries().remove(0);
        assert_eq!((query.state(), query.error()), ("failed", Some("no such column")));
        assert_eq!(query.user.as_deref(), Some("ada"));
    }
}
