//! `Waits`: since when the message that is read next waits for memory. Whoever reads it takes the moment with it, so that all stages together
//! do not wait longer than one.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;
use tonic::Extensions;

use super::memory::WAIT;

/// Of one call; known to its body and to who reads it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waits(Arc<Mutex<Option<Instant>>>);

impl Waits {
    /// Of the call with these extensions.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// A message begins to wait.
    pub(super) fn begin(&self) {
        self.0.lock().get_or_insert_with(Instant::now);
    }

    /// Until when the message that has just been read may wait for what follows.
    pub(crate) fn take_deadline(&self) -> Instant {
        let began = self.0.lock().take();
        began.unwrap_or_else(Instant::now) + WAIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_waited_has_less_time_left_and_the_next_has_all() {
        let waits = Waits::default();
        waits.begin();
        let began = Instant::now();
        std::thread::sleep(std::time::Duration::from_millis(2));
        waits.begin();
        let deadline = waits.take_deadline();
        assert!(deadline <= began + WAIT);
        assert!(waits.take_deadline() > deadline + std::time::Duration::from_millis(1));
    }
}
