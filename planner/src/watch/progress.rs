//! `QueryProgress`: how far a query is, for whoever asks while it runs. Shared by the query's stream and its watchers; made
//! before planning starts, and holds the plan (with its snapshot) only while the query runs.

use std::{sync::Arc, time::Duration};

use datafusion::physical_plan::ExecutionPlan;
use parking_lot::{Mutex, MutexGuard};

use super::Asker;
use crate::{
    aggregate::RollupAggregateExec,
    scan::{ScanCounts, SegmentScanExec},
    turn::Stop,
};
use hexflight_engine::time::{self, Instant};

/// Where a query stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryState {
    /// No plan runs yet.
    Planning,
    /// It waits for its turn.
    Queued,
    /// A plan runs.
    Running,
    /// It has ended, however it ended.
    Done,
}

/// How far a query is, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgressReport {
    /// Where it stands.
    pub state: QueryState,
    /// Since it was registered; stands still once it is done.
    pub elapsed: Duration,
    /// What its scans have done, all of them together.
    pub scanned: ScanCounts,
    /// What it has written to disk because memory was short. **Units**: bytes.
    pub spilled_bytes: u64,
}

/// Follows one query. A statement that runs once per row of parameters is one query here.
#[derive(Debug)]
pub struct QueryProgress {
    started: Instant,
    asker: Asker,
    stop: Stop,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Of plans that have ended.
    scanned: ScanCounts,
    spilled_bytes: u64,
    plan: Option<Arc<dyn ExecutionPlan>>,
    /// When the query ended.
    elapsed: Option<Duration>,
    /// Whether a plan has run.
    planned: bool,
    /// Whether it waits for its turn.
    queued: bool,
}

impl QueryProgress {
    /// Follows a query that is about to be planned.
    #[must_use]
    pub fn start() -> Arc<Self> {
        Self::start_for(Asker::default())
    }

    /// Follows a query of an asker.
    #[must_use]
    pub fn start_for(asker: Asker) -> Arc<Self> {
        Arc::new(Self { started: time::now(), asker, stop: Stop::default(), inner: Mutex::default() })
    }

    /// Who asks.
    #[must_use]
    pub fn asker(&self) -> &Asker {
        &self.asker
    }

    /// Ends the query.
    #[must_use]
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// How far the query is now.
    #[must_use]
    pub fn report(&self) -> ProgressReport {
        let (plan, mut report) = {
            let inner = self.inner();
            let report = ProgressReport {
                state: inner.state(),
                elapsed: inner.elapsed.unwrap_or_else(|| self.started.elapsed()),
                scanned: inner.scanned,
                spilled_bytes: inner.spilled_bytes,
            };
            (inner.plan.as_ref().map(Arc::clone), report)
        };
        // Counting walks the plan: not under the lock that the query's own end needs.
        if let Some(plan) = plan {
            let (scanned, spilled_bytes) = counts_of(&plan);
            report.scanned += scanned;
            report.spilled_bytes += spilled_bytes;
        }
        report
    }

    /// Says that nothing more will run. Lets go of the plan.
    pub fn finish(&self) {
        self.plan_ended();
        let mut inner = self.inner();
        let elapsed = self.started.elapsed();
        inner.elapsed.get_or_insert(elapsed);
    }

    pub(crate) fn queued(&self, is_queued: bool) {
        self.inner().queued = is_queued;
    }

    pub(crate) fn plan_starts(&self, plan: &Arc<dyn ExecutionPlan>) {
        let mut inner = self.inner();
        if let Some(before) = inner.plan.replace(Arc::clone(plan)) {
            let (scanned, spilled_bytes) = counts_of(&before);
            inner.scanned += scanned;
            inner.spilled_bytes += spilled_bytes;
        }
        inner.planned = true;
    }

    /// Keeps the counts and lets go of the plan, and so of its snapshot.
    pub(crate) fn plan_ended(&self) {
        let plan = self.inner().plan.as_ref().map(Arc::clone);
        let Some(plan) = plan else { return };
        let (scanned, spilled_bytes) = counts_of(&plan);
        let mut inner = self.inner();
        // Two ends at once count once.
        if inner.plan.take().is_some() {
            inner.scanned += scanned;
            inner.spilled_bytes += spilled_bytes;
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }
}

impl Inner {
    fn state(&self) -> QueryState {
        match (self.elapsed, self.queued, self.planned) {
            (Some(_), _, _) => QueryState::Done,
            (None, true, _) => QueryState::Queued,
            (None, false, true) => QueryState::Running,
            (None, false, false) => QueryState::Planning,
        }
    }
}

/// Adds up the scans of a plan, and the bytes that it has spilled. Walks without recursion: a plan may be deep, and the caller's stack small.
fn counts_of(plan: &Arc<dyn ExecutionPlan>) -> (ScanCounts, u64) {
    let (mut counts, mut spilled_bytes) = (ScanCounts::default(), 0);
    let mut waiting = vec![plan];
    while let Some(node) = waiting.pop() {
        if let Some(scan) = node.downcast_ref::<SegmentScanExec>() {
            counts += scan.counts();
        }
        if let Some(aggregate) = node.downcast_ref::<RollupAggregateExec>() {
            counts += aggregate.counts();
        }
        let spilled = node.metrics().and_then(|metrics| metrics.spilled_bytes());
        spilled_bytes += spilled.unwrap_or(0) as u64;
        waiting.extend(node.children());
    }
    (counts, spilled_bytes)
}
