//! Boot time: how long something took, and when to go on. The only way to `tokio::time`; under a runtime whose time is paused (tests), time is in
//! the test's hand. What time it is for people says a [`Clock`](crate::Clock).

#![expect(clippy::disallowed_methods, reason = "this is the one place that asks for boot time")]

use std::time::Duration;

use tokio::time::Timeout;
pub use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep};

/// The moment.
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// Resolves after a time.
pub fn sleep(time: Duration) -> Sleep {
    tokio::time::sleep(time)
}

/// Resolves at a moment.
pub fn sleep_until(moment: Instant) -> Sleep {
    tokio::time::sleep_until(moment)
}

/// What `work` gives, if that is within a time.
pub fn timeout<F: IntoFuture>(time: Duration, work: F) -> Timeout<F::IntoFuture> {
    tokio::time::timeout(time, work)
}

/// What `work` gives, if that is before a moment.
pub fn timeout_at<F: IntoFuture>(moment: Instant, work: F) -> Timeout<F::IntoFuture> {
    tokio::time::timeout_at(moment, work)
}

/// Ticks at once, and every `period` from then on.
#[must_use]
pub fn interval(period: Duration) -> Interval {
    tokio::time::interval(period)
}

/// Ticks at `start`, and every `period` from then on.
#[must_use]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    tokio::time::interval_at(start, period)
}
