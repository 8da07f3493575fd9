//! `Budget`: one limit on the memory of ingest, generations, flushes and queries. Everything large is reserved here before
//! it is allocated and given back when its [`Reservation`] is dropped.
//!
//! ```text
//!  take ─▶ ledger (whose share, is there room) ─▶ Reservation ─ drop ─▶ ledger ─▶ queue: the first who fits is handed its memory
//!             └ no room ─▶ reclaim (caches) ─▶ refused, or at the end of the queue
//! ```

mod ledger;
mod reservation;
mod queue;
mod admission;

use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use self::{
    ledger::{Holder, Ledger},
    queue::{Queue, Waiter},
};
use crate::{
    error::{EngineError, Result},
    time::Instant,
};

pub(crate) use admission::Admission;
pub(crate) use ledger::RETRY_MS;
pub use reservation::Reservation;

/// Holds memory that it can do without.
pub trait Reclaim: Send + Sync + std::fmt::Debug {
    /// Gives back about `bytes` of what it has reserved, or what it can. Called by whoever finds no room, on any thread: must
    /// not wait, and must not reserve.
    fn reclaim(&self, bytes: usize);
}

/// A shared limit in bytes.
#[derive(Debug)]
pub struct Budget {
    reclaims: RwLock<Vec<Weak<dyn Reclaim>>>,
    limit: usize,
    inner: Mutex<Inner>,
    freed: Notify,
}

#[derive(Debug)]
struct Inner {
    ledger: Ledger,
    queue: Queue,
}

impl Budget {
    /// Makes a budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            reclaims: RwLock::default(),
            limit,
            inner: Mutex::new(Inner { ledger: Ledger::new(limit), queue: Queue::default() }),
            freed: Notify::new(),
        })
    }

    /// Asks `reclaim` for memory before anybody is refused any.
    pub fn add_reclaim(&self, reclaim: Weak<dyn Reclaim>) {
        let mut reclaims = self.reclaims.write();
        reclaims.retain(|held| held.strong_count() > 0);
        reclaims.push(reclaim);
    }

    /// The limit. **Units**: bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// `share` (0 to 1) of the limit. **Units**: bytes.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share between 0 and 1 of a byte count needs no precision"
    )]
    pub fn share(&self, share: f64) -> usize {
        (self.limit as f64 * share.clamp(0.0, 1.0)) as usize
    }

    /// What is reserved now. **Units**: bytes.
    #[must_use]
    pub fn used(&self) -> usize {
        self.inner.lock().ledger.used()
    }

    /// Who holds how much of what is reserved now. **Units**: bytes.
    #[must_use]
    pub fn held(&self) -> [(&'static str, usize); 5] {
        self.inner.lock().ledger.shares()
    }

    /// The most that was ever reserved at once. **Units**: bytes.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.inner.lock().ledger.peak()
    }

    /// The most that events on their way to files may take. **Units**: bytes.
    #[must_use]
    pub fn events_max(&self) -> usize {
        self.inner.lock().ledger.events_max()
    }

    /// The most that queries and their caches may hold. **Units**: bytes.
    #[must_use]
    pub fn queries_max(&self) -> usize {
        self.inner.lock().ledger.queries_max()
    }

    /// The most that small queries may hold. **Units**: bytes.
    #[must_use]
    pub fn small_queries_max(&self) -> usize {
        self.inner.lock().ledger.small_queries_max()
    }

    /// Says how much the process has beyond what is held here, as far as it is more than usual: queries get that much less, a fifth of the
    /// limit at most. **Units**: bytes.
    pub fn set_uncounted(&self, bytes: usize) {
        self.inner.lock().ledger.set_uncounted(bytes);
    }

    /// Whether flushed rows that queries still read take most of what queries may have: then others soon wait for those who read them.
    #[must_use]
    pub fn flushed_is_much(&self) -> bool {
        self.inner.lock().ledger.flushed_is_much()
    }

    /// How many wait for memory for events.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.inner.lock().queue.len()
    }

    /// Takes `bytes` if `share` (0 to 1) of the limit still has room for them, whoever holds the rest.
    ///
    /// # Errors
    /// `Exhausted` if not; nothing is taken then.
    pub fn try_reserve(self: &Arc<Self>, bytes: usize, share: f64) -> Result<Reservation> {
        self.grow(Holder::Work, bytes, self.share(share))?;
        Ok(Reservation::of(self, bytes, Holder::Work))
    }

    /// Adds to what is used without asking: for memory that is needed to free memory.
    #[must_use]
    pub fn reserve_unchecked(self: &Arc<Self>, bytes: usize) -> Reservation {
        self.take(Holder::Work, bytes)
    }

    /// Takes `bytes` for events on their way to files, if there is room and nobody waits for it.
    ///
    /// # Errors
    /// `Exhausted` if not; nothing is taken then.
    pub fn try_events(self: &Arc<Self>, bytes: usize) -> Result<Reservation> {
        self.grow(Holder::Events, bytes, self.limit)?;
        Ok(Reservation::of(self, bytes, Holder::Events))
    }

    /// As [`Self::try_events`], without asking: for what is bounded in another way, or has to be there.
    #[must_use]
    pub fn events_unchecked(self: &Arc<Self>, bytes: usize) -> Reservation {
        self.take(Holder::Events, bytes)
    }

    /// Takes `bytes` for events on their way to files as soon as there is room, behind those who wait already. Calls `when_short` once
    /// if it has to wait.
    ///
    /// **Cancellation**: dropped, the place in the queue and the memory go to the next.
    ///
    /// # Errors
    /// `Invalid` when there never will be room, `Exhausted` when there is none by `deadline`, `Closed` when nobody is to wait any more.
    pub async fn events(
        self: &Arc<Self>,
        bytes: usize,
        deadline: Instant,
        when_short: impl FnOnce(),
    ) -> Result<Reservation> {
        if let Ok(reservation) = self.try_events(bytes) {
            return Ok(reservation);
        }
        let limit = self.events_max();
        if bytes > limit {
            return Err(EngineError::InvalidBatch(format!(
                "the batch takes {bytes} bytes of memory, more than the {limit} that events on their way to files may take (5/10 of \
                 memory_limit); send smaller batches"
            )));
        }
        let waiter = Waiter::queue_up(self, bytes)?;
        // What was given back since nobody has looked.
        self.grant();
        when_short();
        waiter.wait(deadline).await
    }

    /// Refuses all who wait for memory for events, and whoever would have to wait from now on.
    pub(crate) fn refuse_waiting(&self) {
        self.inner.lock().queue.close();
    }

    /// Nothing yet, for a query or for what is kept for queries.
    #[must_use]
    pub fn queries(self: &Arc<Self>) -> Reservation {
        Reservation::of(self, 0, Holder::Queries)
    }

    /// Nothing yet, for a query that needs little.
    #[must_use]
    pub fn small_queries(self: &Arc<Self>) -> Reservation {
        Reservation::of(self, 0, Holder::SmallQueries)
    }

    /// Waits until something is given back. Register before re-checking, so that no wake-up is missed.
    pub(crate) fn freed(&self) -> tokio::sync::futures::Notified<'_> {
        self.freed.notified()
    }

    fn grow(&self, holder: Holder, bytes: usize, cap: usize) -> Result<()> {
        self.try_take(holder, bytes, cap).or_else(|_| {
            let lacking = self.inner.lock().ledger.reclaimable(holder, bytes, cap);
            if lacking > 0 {
                self.reclaim(lacking);
            }
            self.try_take(holder, bytes, cap)
        })
    }

    fn reclaim(&self, bytes: usize) {
        let reclaims = self.reclaims.read().clone();
        reclaims.iter().filter_map(Weak::upgrade).for_each(|held| held.reclaim(bytes));
    }

    /// Events come in order: who has not waited does not overtake those who do.
    fn try_take(&self, holder: Holder, bytes: usize, cap: usize) -> Result<()> {
        let Inner { ledger, queue } = &mut *self.inner.lock();
        let overtakes = holder == Holder::Events && queue.len() > 0;
        match ledger.shortage(holder, bytes, cap) {
            None if !overtakes => {
                ledger.take(holder, bytes);
                Ok(())
            }
            shortage => Err(shortage.unwrap_or_else(|| ledger.held_by(holder, cap)).refuse(bytes)),
        }
    }

    fn take(self: &Arc<Self>, holder: Holder, bytes: usize) -> Reservation {
        self.inner.lock().ledger.take(holder, bytes);
        Reservation::of(self, bytes, holder)
    }

    /// Why `holder` has not got `bytes`.
    fn refusal(&self, holder: Holder, bytes: usize) -> EngineError {
        let ledger = &self.inner.lock().ledger;
        let shortage = ledger.shortage(holder, bytes, self.limit);
        shortage.unwrap_or_else(|| ledger.held_by(holder, self.limit)).refuse(bytes)
    }

    fn move_to(self: &Arc<Self>, from: Holder, to: Holder, bytes: usize) {
        if from == to || bytes == 0 {
            return;
        }
        let mut inner = self.inner.lock();
        inner.ledger.give_back(from, bytes);
        inner.ledger.take(to, bytes);
        drop(inner);
        self.grant();
    }

    fn give_back(self: &Arc<Self>, holder: Holder, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.inner.lock().ledger.give_back(holder, bytes);
        self.grant();
        self.freed.notify_waiters();
    }

    /// Hands their memory to those who wait, in order, as far as there is room.
    fn grant(self: &Arc<Self>) {
        while let Some((bytes, granted)) = self.next_granted() {
            // Whoever has gone meanwhile drops it, which grants it to the next.
            drop(granted.send(Reservation::of(self, bytes, Holder::Events)));
        }
    }

    fn next_granted(&self) -> Option<(usize, tokio::sync::oneshot::Sender<Reservation>)> {
        let Inner { ledger, queue } = &mut *self.inner.lock();
        let bytes = queue.first()?;
        if ledger.shortage(Holder::Events, bytes, self.limit).is_some() {
            return None;
        }
        ledger.take(Holder::Events, bytes);
        Some((bytes, queue.pop()?))
    }
}

#[cfg(test)]
mod tests;
