//! One lane: places for queries that run, and a bounded queue before them.

use std::{
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use datafusion::error::DataFusionError;
use hexflight_engine::time::{self, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Why a query was not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Busy {
    running_max: usize,
    queued: usize,
    waited: Duration,
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} queries run and {} wait before this one (max_queries); it waited {:.0?} for its turn",
            self.running_max, self.queued, self.waited
        )
    }
}

impl Error for Busy {}

impl From<Busy> for DataFusionError {
    fn from(busy: Busy) -> Self {
        Self::External(Box::new(busy))
    }
}

/// A place; dropping it lets the next one in.
#[derive(Debug)]
pub(crate) struct Permit {
    _places: OwnedSemaphorePermit,
    /// Whether nobody else runs beside it.
    pub(crate) is_alone: bool,
}

/// See the module. First come, first served.
#[derive(Debug)]
pub(super) struct Lane {
    name: &'static str,
    places: Arc<Semaphore>,
    running_max: usize,
    queued: AtomicUsize,
    queue_max: usize,
    wait_max: Duration,
}

impl Lane {
    /// Most places of a lane.
    pub(super) const RUNNING_MAX: usize = 1 << 20;

    pub(super) fn new(name: &'static str, running_max: usize, queue_max: usize, wait_max: Duration) -> Self {
        let places = Arc::new(Semaphore::new(running_max));
        Self { name, places, running_max, queued: AtomicUsize::new(0), queue_max, wait_max }
    }

    /// Places that are taken; all of them while one runs alone.
    pub(super) fn taken(&self) -> usize {
        self.running_max - self.places.available_permits().min(self.running_max)
    }

    /// Those that wait; not those that have begun and wait for a place again.
    pub(super) fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    pub(super) fn try_admit(&self) -> Option<Permit> {
        let places = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Permit { _places: places, is_alone: self.running_max == 1 })
    }

    pub(super) async fn admit(&self) -> Result<Permit, Busy> {
        match self.try_admit() {
            Some(permit) => Ok(permit),
            None => self.wait(1).await,
        }
    }

    pub(super) async fn admit_again(&self) -> Permit {
        loop {
            if let Ok(places) = Arc::clone(&self.places).acquire_owned().await {
                return Permit { _places: places, is_alone: self.running_max == 1 };
            }
        }
    }

    pub(super) async fn admit_alone(&self) -> Result<Permit, Busy> {
        self.wait(u32::try_from(self.running_max).unwrap_or(u32::MAX)).await
    }

    async fn wait(&self, places: u32) -> Result<Permit, Busy> {
        let began = time::now();
        let queue = Queued::join(self);
        if queue.before >= self.queue_max {
            return Err(self.busy(queue.before, began));
        }
        let acquired = Arc::clone(&self.places).acquire_many_owned(places);
        match time::timeout(self.wait_max, acquired).await {
            Ok(Ok(places)) => {
                metrics::histogram!("hexflight_query_queue_seconds", "lane" => self.name)
                    .record(began.elapsed().as_secs_f64());
                let is_alone = places.num_permits() == self.running_max;
                Ok(Permit { _places: places, is_alone })
            }
            _ => Err(self.busy(queue.before, began)),
        }
    }

    fn busy(&self, queued: usize, began: Instant) -> Busy {
        metrics::counter!("hexflight_query_queue_refusals_total", "lane" => self.name).increment(1);
        Busy { running_max: self.running_max, queued, waited: began.elapsed() }
    }
}

/// A query in the queue.
struct Queued<'a> {
    lane: &'a Lane,
    before: usize,
}

impl<'a> Queued<'a> {
    fn join(lane: &'a Lane) -> Self {
        let before = lane.queued.fetch_add(1, Ordering::Relaxed);
        metrics::gauge!("hexflight_query_queued", "lane" => lane.name).increment(1.0);
        Self { lane, before }
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.lane.queued.fetch_sub(1, Ordering::Relaxed);
        metrics::gauge!("hexflight_query_queued", "lane" => self.lane.name).decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use hexflight_engine::tasks;

    use super::*;

    fn lane(running_max: usize, queue_max: usize) -> Arc<Lane> {
        Arc::new(Lane::new("test", running_max, queue_max, Duration::from_millis(200)))
    }

    #[tokio::test]
    async fn the_queue_is_bounded_in_length_and_time() {
        let lane = lane(1, 1);
        let running = lane.admit().await.unwrap();
        let waiting = tasks::spawn({
            let lane = Arc::clone(&lane);
            async move { lane.admit().await }
        });
        tokio::task::yield_now().await;
        let refused = lane.admit().await.unwrap_err();
        assert_eq!((refused.running_max, refused.queued), (1, 1));
        let timed_out = waiting.await.unwrap().unwrap_err();
        assert!(timed_out.waited >= Duration::from_millis(200));
        drop(running);
        lane.admit().await.unwrap();
    }

    #[tokio::test]
    async fn alone_waits_for_all_and_holds_up_all() {
        let lane = lane(3, 10);
        let (first, second) = (lane.admit().await.unwrap(), lane.admit().await.unwrap());
        let alone = tasks::spawn({
            let lane = Arc::clone(&lane);
            async move { lane.admit_alone().await }
        });
        while lane.queued.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
        assert!(lane.try_admit().is_none());
        drop((first, second));
        let alone = alone.await.unwrap().unwrap();
        assert!(alone.is_alone);
        assert!(lane.try_admit().is_none());
        drop(alone);
        assert!(!lane.try_admit().unwrap().is_alone);
    }
}
