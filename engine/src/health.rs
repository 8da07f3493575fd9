//! `Health`: what a start found amiss, what has failed since, and whether the process should take more work.

use std::sync::Arc;

use metrics::counter;
use parking_lot::Mutex;

use crate::{
    error::{EngineError, Result},
    finding::Finding,
    quarantine,
    store::Store,
    wal::Stall,
};

/// See the module.
#[derive(Debug)]
pub(crate) struct Health {
    store: Store,
    stall: Arc<Stall>,
    flush_failure: Mutex<Option<String>>,
    task_failure: Mutex<Option<String>>,
    findings: Mutex<Vec<Finding>>,
}

impl Health {
    pub(crate) fn new(store: Store, stall: Arc<Stall>) -> Self {
        Self {
            store,
            stall,
            flush_failure: Mutex::default(),
            task_failure: Mutex::default(),
            findings: Mutex::default(),
        }
    }

    /// Reports something that a start found amiss.
    pub(crate) fn report(&self, finding: Finding) {
        counter!("hexflight_recovery_findings_total").increment(1);
        tracing::warn!(object = finding.object, detail = finding.detail, "found something amiss");
        self.findings.lock().push(finding);
    }

    /// What the start found amiss.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        self.findings.lock().clone()
    }

    /// Whether nothing was found amiss, now or earlier.
    pub(crate) async fn is_whole(&self) -> bool {
        let found_nothing = self.findings.lock().is_empty();
        found_nothing && matches!(quarantine::is_empty(&self.store).await, Ok(true))
    }

    /// Remembers how the last flush ended.
    pub(crate) fn note_flush(&self, end: &Result<()>) {
        *self.flush_failure.lock() = end.as_ref().err().map(ToString::to_string);
    }

    /// Remembers that a task has stopped.
    pub(crate) fn note_task_failure(&self, task: &str, error: &EngineError) {
        *self.task_failure.lock() = Some(format!("the {task} stopped: {error}"));
    }

    /// Why the process should not take more work, if it should not.
    pub(crate) fn failure(&self) -> Option<String> {
        if let Some(failure) = self.task_failure.lock().clone() {
            return Some(failure);
        }
        let stalled =
            self.stall.failure().map(|failure| format!("the write-ahead log cannot be written: {failure}"));
        let full = || {
            let lacks = self.store.lacks_reserve();
            lacks.then(|| String::from("the disk is full: events are refused until there is space again"))
        };
        stalled.or_else(full).or_else(|| {
            self.flush_failure.lock().clone().map(|failure| format!("the last flush failed: {failure}"))
        })
    }
}
