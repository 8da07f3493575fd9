//! `Admission`: memory for events on their way in. An append that finds none wakes the flush task and waits; what is not urgent looks again
//! now and then, and steps back while an append waits.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{Budget, Reservation};
use crate::{
    error::{EngineError, Result},
    signals::FlushSignals,
    time::{self, Instant, sleep_until},
};

/// Part of the memory limit from which an active generation is flushed because memory is short. When less would be freed, memory
/// is held by others, and flushing would only make small files.
const PRESSURE_PART: usize = 32;

/// How often somebody looks again who stands in no queue: appends come first.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) budget: Arc<Budget>,
    signals: Arc<FlushSignals>,
    append_wait: Duration,
}

impl Admission {
    pub(crate) fn new(budget: Arc<Budget>, signals: Arc<FlushSignals>, append_wait: Duration) -> Self {
        Self { budget, signals, append_wait }
    }

    /// Waits for memory for events until a moment.
    ///
    /// # Errors
    /// `Exhausted` when there is none by then, or never will be.
    pub(crate) async fn reserve(&self, bytes: usize, deadline: Instant) -> Result<Reservation> {
        self.budget.events(bytes, deadline, || self.signals.pressure.notify_one()).await
    }

    /// Waits for memory without hurrying anybody, as long as an append would.
    ///
    /// # Errors
    /// `Exhausted` when there is none in time or appends wait for it, `Closed` when `stop` is cancelled.
    pub(crate) async fn reserve_behind(&self, bytes: usize, stop: &CancellationToken) -> Result<Reservation> {
        let deadline = self.deadline();
        loop {
            self.check_behind(bytes, stop)?;
            let refusal = match self.budget.try_events(bytes) {
                Ok(reservation) => return Ok(reservation),
                Err(refusal) => refusal,
            };
            let now = time::now();
            if now >= deadline {
                return Err(refusal);
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(EngineError::Closed),
                () = sleep_until(deadline.min(now + LOOK_INTERVAL)) => {}
            }
        }
    }

    /// `Err` when work that is not urgent and holds `bytes` should end.
    ///
    /// # Errors
    /// `Closed` when `stop` is cancelled, `Exhausted` when appends wait for memory.
    pub(crate) fn check_behind(&self, bytes: usize, stop: &CancellationToken) -> Result<()> {
        if stop.is_cancelled() {
            return Err(EngineError::Closed);
        }
        if self.is_short() {
            let (limit, used) = (self.budget.limit(), self.budget.used());
            let by = "all together, and appends wait (memory_limit)";
            return Err(EngineError::Exhausted { requested: bytes, by, used, limit, retry_ms: 0 });
        }
        Ok(())
    }

    /// When an append that begins now must have found its way into the log.
    pub(crate) fn deadline(&self) -> Instant {
        time::now() + self.append_wait
    }

    /// How long an append waits.
    pub(crate) fn append_wait(&self) -> Duration {
        self.append_wait
    }

    /// Whether appends wait for memory: whatever is not urgent gives up its own.
    pub(crate) fn is_short(&self) -> bool {
        self.budget.waiting() > 0
    }

    /// Whether flushing so much would free a share of memory that matters.
    pub(crate) fn is_worth_flushing(&self, active_bytes: usize) -> bool {
        active_bytes >= self.budget.limit() / PRESSURE_PART
    }

    /// Wakes the flush task if appends wait for memory that it could free. Nobody who waits looks again by itself.
    pub(crate) fn flush_if_short(&self, active_bytes: impl FnOnce() -> usize) {
        if self.is_short() && self.is_worth_flushing(active_bytes()) {
            self.signals.pressure.notify_one();
        }
    }
}
