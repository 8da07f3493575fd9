//! `LogLimit`: keeps a line that anybody can cause from filling the log. Lines above the limit are counted, and the next one that is
//! written says how many there were.

use std::time::Duration;

use hexflight_engine::time::{self, Instant};
use parking_lot::Mutex;
/// Lines of one kind within a [`WINDOW`]: enough to see who does what, some 100 MB a day at the very most.
const LINES_MAX: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);

/// The lines of one kind.
#[derive(Debug, Default)]
pub(crate) struct LogLimit {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    began: Option<Instant>,
    lines: u32,
    held_back: u64,
}

impl LogLimit {
    /// A limit for a `static`.
    pub(crate) const fn new() -> Self {
        Self { inner: Mutex::new(Inner { began: None, lines: 0, held_back: 0 }) }
    }

    /// Writes a line, unless there were too many. `write` is told how many were held back since the last one.
    pub(crate) fn log(&self, write: impl FnOnce(u64)) {
        if let Some(held_back) = self.admit(time::now()) {
            write(held_back);
        }
    }

    fn admit(&self, now: Instant) -> Option<u64> {
        let mut inner = self.inner.lock();
        if inner.began.is_none_or(|began| now.saturating_duration_since(began) >= WINDOW) {
            inner.began = Some(now);
            inner.lines = 0;
        }
        if inner.lines >= LINES_MAX {
            inner.held_back += 1;
            return None;
        }
        inner.lines += 1;
        Some(std::mem::take(&mut inner.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_above_the_limit_are_counted_and_told_later() {
        let limit = LogLimit::new();
        let start = time::now();
        (0..LINES_MAX).for_each(|_| assert_eq!(limit.admit(start), Some(0)));
        (0..5).for_each(|_| assert_eq!(limit.admit(start), None));
        assert_eq!(limit.admit(start + WINDOW), Some(5));
        assert_eq!(limit.admit(start + WINDOW), Some(0));
    }
}
