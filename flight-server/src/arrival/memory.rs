//! `ArrivalMemory`: what a stage of messages may take together. Whoever finds no room waits, first come, first served.

use std::{sync::Arc, time::Duration};

use hexflight_engine::{
    Budget, Reservation,
    time::{self, Instant},
};
use tonic::Status;

use crate::status::retry_later;

/// What is taken without asking: small messages come through while large ones wait. As large as a frame of HTTP/2. **Units**: bytes.
pub(crate) const FREE_BYTES: usize = 16 << 10;

/// How long to wait for memory, in all stages of a message together; as long as an append does.
pub(crate) const WAIT: Duration = Duration::from_secs(10);

/// When a client that found no memory is told to come back. **Units**: ms.
pub(crate) const RETRY_MS: u64 = 1_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct ArrivalMemory {
    /// What it is for, in texts.
    what: &'static str,
    /// Twice as large as the share: half of it is what those in the queue are handed.
    share: Arc<Budget>,
    total: Arc<Budget>,
    wait: Duration,
}

/// Memory of a message.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// What was asked for. **Units**: bytes.
    asked: usize,
    /// Of the stage.
    _share: Reservation,
    /// Of everything: so that others see it.
    _memory: Reservation,
}

impl Arrived {
    /// What was asked for. **Units**: bytes.
    pub(crate) fn asked(&self) -> usize {
        self.asked
    }
}

impl ArrivalMemory {
    /// One `part`th of the engine's budget for `what`.
    pub(crate) fn new(what: &'static str, total: &Arc<Budget>, part: usize) -> Arc<Self> {
        Self::with_wait(what, total, part, WAIT)
    }

    /// As [`Self::new`], with a wait of one's own.
    pub(super) fn with_wait(
        what: &'static str,
        total: &Arc<Budget>,
        part: usize,
        wait: Duration,
    ) -> Arc<Self> {
        let share = Budget::new((total.limit() / part).max(FREE_BYTES).saturating_mul(2));
        Arc::new(Self { what, share, total: Arc::clone(total), wait })
    }

    /// Takes `bytes` if there is room and nobody waits for it. What is larger than the share takes all of it.
    pub(crate) fn try_hold(&self, bytes: usize) -> Option<Arrived> {
        let bytes_max = self.share.events_max();
        self.share.try_events(bytes.min(bytes_max)).ok().map(|share| self.arrived(share, bytes))
    }

    /// Takes `bytes` as soon as there is room.
    ///
    /// **Cancellation**: dropped, the place in the queue goes to the next.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED when there is none for ten seconds.
    pub(crate) async fn hold(self: Arc<Self>, bytes: usize) -> Result<Arrived, Status> {
        let deadline = time::now() + self.wait;
        self.hold_until(bytes, deadline).await
    }

    /// As [`Self::hold`], until `deadline`.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED when there is no room by then.
    pub(crate) async fn hold_until(
        self: Arc<Self>,
        bytes: usize,
        deadline: Instant,
    ) -> Result<Arrived, Status> {
        let bytes_max = self.share.events_max();
        let share = self.share.events(bytes.min(bytes_max), deadline, || {}).await;
        share.map(|share| self.arrived(share, bytes)).map_err(|_| self.refusal(bytes))
    }

    /// Why somebody who needs `bytes` more is refused.
    pub(crate) fn refusal(&self, bytes: usize) -> Status {
        let (what, used, bytes_max) = (self.what, self.share.used(), self.share.events_max());
        let text = format!(
            "{bytes} bytes requested, {used} of {bytes_max} in use by {what} (a share of memory_limit); retry in {RETRY_MS} ms"
        );
        retry_later(text, RETRY_MS)
    }

    /// The share bounds it: to ask the whole budget too would let messages and what frees memory wait for each other.
    fn arrived(&self, share: Reservation, asked: usize) -> Arrived {
        let memory = self.total.reserve_unchecked(share.bytes());
        Arrived { asked, _share: share, _memory: memory }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const SHARE: usize = 64 << 10;

    #[tokio::test]
    async fn what_is_larger_than_the_share_waits_until_it_is_alone() {
        let total = Budget::new(8 * SHARE);
        let memory = ArrivalMemory::new("messages", &total, 8);
        let small = memory.try_hold(1).unwrap();
        let mut large = Box::pin(Arc::clone(&memory).hold(100 * SHARE));
        assert!((&mut large).now_or_never().is_none());
        assert!(memory.try_hold(1).is_none(), "somebody has overtaken the one who waits");
        drop(small);
        let large = large.now_or_never().unwrap().unwrap();
        assert_eq!(total.used(), SHARE);
        drop(large);
        assert_eq!(total.used(), 0);
    }

    #[tokio::test]
    async fn a_wait_ends_and_says_when_to_come_back() {
        let wait = Duration::from_millis(10);
        let memory = ArrivalMemory::with_wait("messages", &Budget::new(8 * SHARE), 8, wait);
        let _held = memory.try_hold(SHARE).unwrap();
        let refused = Arc::clone(&memory).hold(5).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
        let expected = "5 bytes requested, 65536 of 65536 in use by messages";
        assert!(refused.message().contains(expected), "{}", refused.message());
        assert!(refused.metadata().contains_key("grpc-retry-pushback-ms"));
    }
}
