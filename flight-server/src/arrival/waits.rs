//! `Waits`: how long the message that is read next has waited for memory. Whoever reads it takes that with it, so that all stages together do
//! not wait longer than one. The time that its bytes take to arrive is the client's, and does not count.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tonic::Extensions;

use super::memory::WAIT;
use hexflight_engine::time::{self, Instant};

/// Of one call; known to its body and to who reads it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waits(Arc<Mutex<Waited>>);

#[derive(Debug, Default)]
struct Waited {
    since: Option<Instant>,
    before: Duration,
}

impl Waits {
    /// Of the call with these extensions.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// The message begins to wait.
    pub(super) fn begin(&self) {
        self.0.lock().since.get_or_insert_with(time::now);
    }

    /// It has memory.
    pub(super) fn end(&self) {
        let mut waited = self.0.lock();
        if let Some(since) = waited.since.take() {
            waited.before += since.elapsed();
        }
    }

    /// Until when the message that has just been read may wait for what follows.
    pub(crate) fn take_deadline(&self) -> Instant {
        let waited = std::mem::take(&mut *self.0.lock());
        time::now() + WAIT.saturating_sub(waited.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_waited_has_less_time_left_and_the_next_has_all() {
        let (waits, pause) = (Waits::default(), Duration::from_millis(2));
        for _ in 0..2 {
            waits.begin();
            std::thread::sleep(pause);
            waits.begin();
            waits.end();
            std::thread::sleep(pause);
        }
        let deadline = waits.take_deadline();
        assert!(deadline <= time::now() + WAIT - 2 * pause);
        assert!(waits.take_deadline() >= deadline + 2 * pause);
    }
}
