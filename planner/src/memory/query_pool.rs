//! `QueryPool`: what one query takes of the memory of all. Counts it, keeps what can spill within the query's share, and keeps exchanges
//! from spilling. The share is an even one among the large queries that run. Within the query each operator that can spill may have an even part
//! of it in any case: what comes last must not find that the first has taken all.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use datafusion::{
    common::human_readable_size,
    error::{DataFusionError, Result},
    execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation},
};
use tokio_util::sync::CancellationToken;

use super::BudgetPool;
use crate::admission::Admission;

/// How exchanges name what they reserve. Two of their inputs that spill at once can wait for each other for ever.
/// **Source**: <https://github.com/apache/datafusion/issues/24883>, mended after DataFusion 55.
const EXCHANGE: &str = "RepartitionExec[";

/// What an operator may have even where nothing is left: a count of groups must not fail because a sort below it has all. **Units**: bytes.
const LITTLE_BYTES: usize = 64 << 10;

/// What a query has reserved.
#[derive(Debug, Default)]
pub(crate) struct QueryMemory {
    used: AtomicUsize,
    peak: AtomicUsize,
}

impl QueryMemory {
    /// Now. **Units**: bytes.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The most so far. **Units**: bytes.
    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(used, Ordering::Relaxed);
    }
}

/// Told when an exchange finds no memory: it is given some, and what runs has to end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exhausted(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    text: OnceLock<String>,
    token: CancellationToken,
}

impl Exhausted {
    fn tell(&self, text: String) {
        self.0.text.get_or_init(|| text);
        self.0.token.cancel();
    }

    /// Resolves with the error that the exchange would have had.
    pub(crate) async fn told(&self) -> DataFusionError {
        self.0.token.cancelled().await;
        DataFusionError::ResourcesExhausted(self.0.text.get().cloned().unwrap_or_default())
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct QueryPool {
    all: Arc<BudgetPool>,
    memory: Arc<QueryMemory>,
    admission: Arc<Admission>,
    /// Whether it shares with no large query that runs.
    is_alone: bool,
    exhausted: Exhausted,
    /// How many of the query's operators can spill.
    spilling: AtomicUsize,
}

/// So many fifths of the memory of queries are for what can spill; the others are left to exchanges, to what cannot spill, and to an operator
/// that comes when the share is taken.
const SPILLING_FIFTHS: usize = 3;

impl QueryPool {
    pub(crate) fn new(
        all: Arc<BudgetPool>,
        memory: Arc<QueryMemory>,
        admission: Arc<Admission>,
        is_alone: bool,
        exhausted: Exhausted,
    ) -> Self {
        Self { all, memory, admission, is_alone, exhausted, spilling: AtomicUsize::new(0) }
    }

    /// From which the query spills. **Units**: bytes.
    fn share(&self) -> usize {
        let queries = if self.is_alone { 1 } else { self.admission.large_running().max(1) };
        self.all.limit() / 5 * SPILLING_FIFTHS / queries
    }

    /// An operator may have an even part of the share, whatever the others have, and more while they leave some.
    fn is_beyond_share(&self, own: usize, additional: usize) -> bool {
        let share = self.share();
        let part = share / self.spilling.load(Ordering::Relaxed).max(1);
        own.saturating_add(additional) > part && self.memory.used().saturating_add(additional) > share
    }

    fn refuse(&self, reservation: &MemoryReservation, additional: usize) -> DataFusionError {
        DataFusionError::ResourcesExhausted(format!(
            "{} needs {} more and holds {}; the query holds {} of its share of {}",
            reservation.consumer().name(),
            human_readable_size(additional),
            human_readable_size(reservation.size()),
            human_readable_size(self.memory.used()),
            human_readable_size(self.share()),
        ))
    }
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(share: {})", self.name(), human_readable_size(self.share()))
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &'static str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if spills(consumer) {
            self.spilling.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if spills(consumer) {
            self.spilling.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.all.grow(reservation, additional);
        self.memory.add(additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.all.shrink(reservation, shrink);
        self.memory.used.fetch_sub(shrink, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let consumer = reservation.consumer();
        if spills(consumer) && self.is_beyond_share(reservation.size(), additional) {
            return Err(self.refuse(reservation, additional));
        }
        match self.all.try_grow(reservation, additional) {
            Ok(()) => {
                self.memory.add(additional);
                Ok(())
            }
            Err(error) if is_exchange(consumer) => {
                self.exhausted.tell(error.message().into_owned());
                self.grow(reservation, additional);
                Ok(())
            }
            Err(_) if reservation.size() + additional <= LITTLE_BYTES => {
                self.grow(reservation, additional);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn reserved(&self) -> usize {
        self.memory.used()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.all.memory_limit()
    }
}

fn is_exchange(consumer: &MemoryConsumer) -> bool {
    consumer.name().starts_with(EXCHANGE)
}

fn spills(consumer: &MemoryConsumer) -> bool {
    consumer.can_spill() && !is_exchange(consumer)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hexflight_engine::Budget;

    use super::*;
    use crate::admission::Class;

    struct Parts {
        pool: Arc<dyn MemoryPool>,
        memory: Arc<QueryMemory>,
        admission: Arc<Admission>,
        exhausted: Exhausted,
    }

    /// Of 600 bytes for queries 360 are for what can spill.
    fn parts() -> Parts {
        let all = Arc::new(BudgetPool::new(Budget::new(1_000), 1.0));
        let (memory, exhausted) = (Arc::<QueryMemory>::default(), Exhausted::default());
        let admission = Arc::new(Admission::new(4, 10, Duration::ZERO));
        let pool = QueryPool::new(all, Arc::clone(&memory), Arc::clone(&admission), false, exhausted.clone());
        Parts { pool: Arc::new(pool), memory, admission, exhausted }
    }

    fn spilling(parts: &Parts) -> MemoryReservation {
        MemoryConsumer::new("sort").with_can_spill(true).register(&parts.pool)
    }

    #[test]
    fn what_can_spill_keeps_to_its_share() {
        let parts = parts();
        let first = spilling(&parts);
        first.try_grow(360).unwrap();
        assert!(first.try_grow(1).is_err());
        let second = spilling(&parts);
        second.try_grow(180).unwrap();
        assert!(second.try_grow(1).is_err(), "its part of the share");
        let keeps = MemoryConsumer::new("join").register(&parts.pool);
        keeps.try_grow(60).unwrap();
        assert_eq!((parts.memory.used(), parts.memory.peak()), (600, 600));
        drop((first, keeps));
        assert_eq!((parts.memory.used(), parts.memory.peak()), (180, 600));
        second.try_grow(180).unwrap();
    }

    #[test]
    fn queries_that_run_beside_each_other_share() {
        let parts = parts();
        let sort = spilling(&parts);
        let _two = (
            parts.admission.try_admit(Class::Large).unwrap(),
            parts.admission.try_admit(Class::Large).unwrap(),
        );
        assert!(sort.try_grow(181).is_err());
        sort.try_grow(180).unwrap();
    }

    #[test]
    fn an_exchange_never_spills() {
        let parts = parts();
        let exchange = MemoryConsumer::new("RepartitionExec[0]").with_can_spill(true).register(&parts.pool);
        exchange.try_grow(500).unwrap();
        assert!(parts.exhausted.0.text.get().is_none());
        exchange.try_grow(200).unwrap();
        assert!(parts.exhausted.0.text.get().is_some_and(|text| text.contains("RepartitionExec[0]")));
        assert_eq!(parts.memory.used(), 700);
    }
}
