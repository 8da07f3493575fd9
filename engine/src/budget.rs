//! `Budget`: one limit on the memory of ingest, generations, flushes and queries. Everything large is reserved here before
//! it is allocated and given back when its [`Reservation`] is dropped.

use std::sync::{
    Arc, PoisonError, RwLock, Weak,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

use crate::error::{EngineError, Result};

/// When a refused caller is told to come back. **Units**: ms.
const RETRY_MS: u64 = 1_000;

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
    used: AtomicUsize,
    peak: AtomicUsize,
    freed: Notify,
}

impl Budget {
    /// Makes a budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            reclaims: RwLock::default(),
            limit,
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            freed: Notify::new(),
        })
    }

    /// Asks `reclaim` for memory before anybody is refused any.
    pub fn add_reclaim(&self, reclaim: Weak<dyn Reclaim>) {
        let mut reclaims = self.reclaims.write().unwrap_or_else(PoisonError::into_inner);
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
        self.used.load(Ordering::Relaxed)
    }

    /// The most that was ever reserved at once. **Units**: bytes.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// Takes `bytes` if `share` (0 to 1) of the limit still has room for them.
    ///
    /// # Errors
    /// `Exhausted` if not; nothing is taken then.
    pub fn try_reserve(self: &Arc<Self>, bytes: usize, share: f64) -> Result<Reservation> {
        self.grow(bytes, share)?;
        Ok(Reservation { budget: Arc::clone(self), bytes })
    }

    /// Adds to what is used without asking: for memory that is needed to free memory.
    #[must_use]
    pub fn reserve_unchecked(self: &Arc<Self>, bytes: usize) -> Reservation {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(used, Ordering::Relaxed);
        Reservation { budget: Arc::clone(self), bytes }
    }

    /// Waits until something is given back. Register before re-checking, so that no wake-up is missed.
    pub fn freed(&self) -> tokio::sync::futures::Notified<'_> {
        self.freed.notified()
    }

    fn grow(&self, bytes: usize, share: f64) -> Result<()> {
        let cap = self.share(share);
        self.grow_to(bytes, cap).or_else(|_| {
            self.reclaim(self.used().saturating_add(bytes).saturating_sub(cap));
            self.grow_to(bytes, cap)
        })
    }

    fn reclaim(&self, bytes: usize) {
        let reclaims = self.reclaims.read().unwrap_or_else(PoisonError::into_inner).clone();
        reclaims.iter().filter_map(Weak::upgrade).for_each(|held| held.reclaim(bytes));
    }

    fn grow_to(&self, bytes: usize, cap: usize) -> Result<()> {
        let grown = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|sum| *sum <= cap)
        });
        match grown {
            Ok(before) => {
                self.peak.fetch_max(before + bytes, Ordering::Relaxed);
                Ok(())
            }
            Err(used) => {
                Err(EngineError::Exhausted { requested: bytes, used, limit: self.limit, retry_ms: RETRY_MS })
            }
        }
    }

    fn shrink(&self, bytes: usize) {
        let before = self.used.fetch_sub(bytes, Ordering::Relaxed);
        assert!(before >= bytes, "budget gave back {bytes} of {before} bytes");
        self.freed.notify_waiters();
    }
}

/// Bytes taken from a [`Budget`]; given back on drop.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Reservation {
    /// What is held. **Units**: bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Grows by `bytes` if `share` of the limit has room.
    ///
    /// # Errors
    /// `Exhausted` if not; nothing changes then.
    pub fn try_grow(&mut self, bytes: usize, share: f64) -> Result<()> {
        self.budget.grow(bytes, share)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Gives back `bytes` of what is held.
    pub fn shrink(&mut self, bytes: usize) {
        let given = bytes.min(self.bytes);
        self.bytes -= given;
        self.budget.shrink(given);
    }

    /// Takes `bytes` from the same budget without asking: for a copy that replaces what is already held.
    #[must_use]
    pub fn again(&self, bytes: usize) -> Self {
        self.budget.reserve_unchecked(bytes)
    }

    /// Holds `bytes` from now on, without asking: for memory that turned out larger or smaller than was thought.
    #[must_use]
    pub fn resized(mut self, bytes: usize) -> Self {
        if bytes > self.bytes {
            let more = self.budget.reserve_unchecked(bytes - self.bytes);
            self.merge(more);
        } else {
            self.shrink(self.bytes - bytes);
        }
        self
    }

    /// Parts with `bytes`, or with all that is held if that is less.
    #[must_use]
    pub fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { budget: Arc::clone(&self.budget), bytes }
    }

    /// Takes over what another reservation of the same budget holds.
    pub fn merge(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.shrink(self.bytes);
        }
    }
}
