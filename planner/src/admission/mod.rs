//! Admission: how many queries run at once. A query is planned, told apart as small or large by what it will read, and waits for its turn
//! among its kind; what is small is never behind what is large. A query that found no memory beside others runs again alone.
//!
//! ```text
//!  plan ─▶ class ─┬─ small ─▶ small lane ─┬─▶ run
//!                 └─ large ─▶ large lane ─┘
//! ```

mod class;
mod lane;

use std::time::Duration;

pub(crate) use class::Class;
pub(crate) use lane::{Busy, Permit};

use lane::Lane;

/// Small queries that run at once, for each large one that may.
const SMALL_PER_LARGE: usize = 16;

/// Both lanes of a query engine.
#[derive(Debug)]
pub(crate) struct Admission {
    small: Lane,
    large: Lane,
}

impl Admission {
    /// `running_max` large queries at once; of each kind `queue_max` more wait, for at most `wait_max`.
    pub(crate) fn new(running_max: usize, queue_max: usize, wait_max: Duration) -> Self {
        let running_max = running_max.clamp(1, Lane::RUNNING_MAX / SMALL_PER_LARGE);
        Self {
            small: Lane::new("small", running_max * SMALL_PER_LARGE, queue_max, wait_max),
            large: Lane::new("large", running_max, queue_max, wait_max),
        }
    }

    /// A place at once, if one is free and nobody waits for it.
    pub(crate) fn try_admit(&self, class: Class) -> Option<Permit> {
        self.lane(class).try_admit()
    }

    /// Waits for a place.
    ///
    /// **Cancellation**: dropping the future leaves the queue.
    ///
    /// # Errors
    /// [`Busy`] when too many wait already, or the wait lasts too long.
    pub(crate) async fn admit(&self, class: Class) -> Result<Permit, Busy> {
        self.lane(class).admit().await
    }

    /// Waits for a place again, for as long as it takes: of a query that has begun.
    pub(crate) async fn admit_again(&self, class: Class) -> Permit {
        self.lane(class).admit_again().await
    }

    /// Waits until no other large query runs, and keeps all others waiting.
    ///
    /// # Errors
    /// [`Busy`] when the wait lasts too long.
    pub(crate) async fn admit_alone(&self) -> Result<Permit, Busy> {
        self.large.admit_alone().await
    }

    /// Large queries that run now.
    pub(crate) fn large_running(&self) -> usize {
        self.large.taken()
    }

    /// Large queries that wait for a place.
    pub(crate) fn large_queued(&self) -> usize {
        self.large.queued()
    }

    fn lane(&self, class: Class) -> &Lane {
        match class {
            Class::Small => &self.small,
            Class::Large => &self.large,
        }
    }
}
