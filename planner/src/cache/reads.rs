//! `Reads`: how much is read from files and decoded at once. Whether it can be kept is known only afterwards, so it is counted here
//! and not in the budget: what many questions decode together stays below a fixed part of the memory limit, and who finds no room waits.

use std::sync::Arc;

use datafusion::error::{DataFusionError, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Part of the memory limit for everything that is read at once.
const READS_PART: usize = 16;
/// What is counted in one. **Units**: bytes.
const UNIT: usize = 1 << 10;

/// See the module.
#[derive(Debug)]
pub(super) struct Reads {
    room: Arc<Semaphore>,
    units: usize,
}

/// Room for something that is read, until it is dropped.
#[derive(Debug)]
pub(crate) struct ReadRoom(OwnedSemaphorePermit);

impl Reads {
    /// For a budget of `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        let units = (limit / READS_PART / UNIT).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self { room: Arc::new(Semaphore::new(units)), units }
    }

    /// Waits for room for `bytes`, first come, first served. What is larger than all of the room takes all of it. Who holds some must not
    /// wait for more.
    pub(super) async fn room(&self, bytes: usize) -> Result<ReadRoom> {
        let units = bytes.div_ceil(UNIT).min(self.units);
        let room = Arc::clone(&self.room).acquire_many_owned(u32::try_from(units).unwrap_or(u32::MAX)).await;
        room.map(ReadRoom).map_err(|closed| DataFusionError::External(Box::new(closed)))
    }
}

impl ReadRoom {
    /// Gives back what is beyond `bytes`.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let beyond = self.0.num_permits().saturating_sub(bytes.div_ceil(UNIT));
        drop(self.0.split(beyond));
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn what_is_read_at_once_is_bounded() {
        let reads = Reads::new(64 << 10);
        let ready = |bytes| reads.room(bytes).now_or_never().map(Result::unwrap);
        let mut first = ready(3 << 10).unwrap();
        assert!(ready(2 << 10).is_none());
        first.shrink_to(1 << 10);
        let second = ready(2 << 10).unwrap();
        // Larger than everything: alone.
        assert!(ready(1 << 30).is_none());
        drop((first, second));
        let all = ready(1 << 30).unwrap();
        assert!(ready(1).is_none());
        drop(all);
        assert!(ready(1).is_some());
    }
}
