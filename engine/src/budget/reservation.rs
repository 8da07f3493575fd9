//! `Reservation`: bytes that somebody holds of a budget, given back on drop.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{Budget, Holder};
use crate::error::Result;

/// Bytes taken from a [`Budget`]; given back on drop.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
    holder: Holder,
    /// Whether queries alone hold it by now, whoever took it.
    is_left_to_queries: AtomicBool,
}

impl Reservation {
    /// Of bytes that the ledger counts already.
    pub(super) fn of(budget: &Arc<Budget>, bytes: usize, holder: Holder) -> Self {
        Self { budget: Arc::clone(budget), bytes, holder, is_left_to_queries: AtomicBool::new(false) }
    }

    /// What is held. **Units**: bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Grows by `bytes` if its holder may have as much, and `share` of the limit has room for all that is held then.
    ///
    /// # Errors
    /// `Exhausted` if not; nothing changes then.
    pub fn try_grow(&mut self, bytes: usize, share: f64) -> Result<()> {
        self.budget.grow(self.holder(), bytes, self.budget.share(share))?;
        self.bytes += bytes;
        Ok(())
    }

    /// Gives back `bytes` of what is held.
    pub fn shrink(&mut self, bytes: usize) {
        let given = bytes.min(self.bytes);
        self.bytes -= given;
        self.budget.give_back(self.holder(), given);
    }

    /// Takes `bytes` for the same holder without asking: for a copy that replaces what is already held.
    #[must_use]
    pub fn again(&self, bytes: usize) -> Self {
        self.budget.take(self.holder(), bytes)
    }

    /// Holds `bytes` from now on, without asking: for memory that turned out larger or smaller than was thought.
    #[must_use]
    pub fn resized(mut self, bytes: usize) -> Self {
        if bytes > self.bytes {
            let more = self.again(bytes - self.bytes);
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
        Self::of(&self.budget, bytes, self.holder())
    }

    /// Takes over what another reservation of the same budget holds.
    pub fn merge(&mut self, mut other: Self) {
        let bytes = std::mem::take(&mut other.bytes);
        self.budget.move_to(other.holder(), self.holder(), bytes);
        self.bytes += bytes;
    }

    /// Counts as held by queries from now on: what it is for has gone on to files, and only those who still read it keep it.
    pub(crate) fn leave_to_queries(&self) {
        if !self.is_left_to_queries.swap(true, Ordering::AcqRel) {
            self.budget.move_to(self.holder, Holder::Flushed, self.bytes);
        }
    }

    fn holder(&self) -> Holder {
        if self.is_left_to_queries.load(Ordering::Acquire) { Holder::Flushed } else { self.holder }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.give_back(self.holder(), self.bytes);
    }
}
