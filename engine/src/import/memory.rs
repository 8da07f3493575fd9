//! The memory of one load: a share of the engine's, in two halves that never wait for each other. Rows wait for room in the first
//! and leave it as files or into the scratch file; what works on them waits in the second, for other work only.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{
    part::Held,
    plan::{Limits, work_bytes},
};
use crate::budget::{Budget, Reservation};

/// Part of the memory limit that a load uses at most.
const SHARE_PART: usize = 4;
/// And the most it uses at all. **Units**: bytes.
const SHARE_BYTES_MAX: usize = 1 << 30;

/// See the module.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) limits: Limits,
    engine: Arc<Budget>,
    rows: Arc<Budget>,
    work: Arc<Budget>,
}

/// Memory that work on rows takes, of the load's share and of the engine's budget.
#[derive(Debug)]
pub(super) struct WorkHeld {
    own: Reservation,
    engine: Reservation,
}

impl WorkHeld {
    /// Gives back all but `bytes`.
    pub(super) fn keep(&mut self, bytes: usize) {
        for held in [&mut self.own, &mut self.engine] {
            held.shrink(held.bytes().saturating_sub(bytes));
        }
    }
}

impl Memory {
    pub(super) fn new(engine: &Arc<Budget>) -> Self {
        let limits = Limits::of((engine.limit() / SHARE_PART).min(SHARE_BYTES_MAX));
        Self {
            limits,
            engine: Arc::clone(engine),
            rows: Budget::new(limits.rows_bytes),
            work: Budget::new(limits.work_bytes),
        }
    }

    /// Waits for room for rows in the load's share; `when_short` is called each time there is none. A request larger than three quarters of the
    /// share is clamped to that, so it waits until almost everything else is released. `None` when the load was stopped.
    pub(super) async fn rows(
        &self,
        bytes: usize,
        stop: &CancellationToken,
        when_short: impl FnMut(),
    ) -> Option<Reservation> {
        Some(wait(&self.rows, bytes, stop, when_short).await?.resized(bytes))
    }

    /// As [`Self::rows`], for rows that the load has taken already: they do not wait for the engine's memory.
    pub(super) async fn rows_again(&self, bytes: usize, stop: &CancellationToken) -> Option<Held> {
        let own = self.rows(bytes, stop, || {}).await?;
        Some(Held { own, engine: self.engine.events_unchecked(bytes) })
    }

    /// Waits for room for work on rows. `None` when the load was stopped.
    pub(super) async fn work(&self, rows: usize, stop: &CancellationToken) -> Option<WorkHeld> {
        let bytes = work_bytes(rows);
        let own = wait(&self.work, bytes, stop, || {}).await?;
        // It frees the rows' memory, so it does not wait for the engine's.
        Some(WorkHeld { own, engine: self.engine.events_unchecked(bytes) })
    }
}

async fn wait(
    budget: &Arc<Budget>,
    bytes: usize,
    stop: &CancellationToken,
    mut when_short: impl FnMut(),
) -> Option<Reservation> {
    // A little of it may be held by rows that wait to be joined with more.
    let bytes = bytes.min(budget.limit() / 4 * 3);
    loop {
        let freed = budget.freed();
        tokio::pin!(freed);
        // Registered before the check: what is freed in between wakes us.
        freed.as_mut().enable();
        if let Ok(reservation) = budget.try_reserve(bytes, 1.0) {
            return Some(reservation);
        }
        when_short();
        tokio::select! {
            biased;
            () = freed => {}
            () = stop.cancelled() => return None,
        }
    }
}
