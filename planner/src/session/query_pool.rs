//! `QueryPool`: what one query takes of the memory of all. Counts it, keeps what can spill within the query's share, and keeps exchanges
//! from spilling.

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
    execution::memory_pool::{MemoryLimit, MemoryPool, MemoryReservation},
};

use tokio_util::sync::CancellationToken;

use super::pool::BudgetPool;

/// How exchanges name what they reserve. Two of their inputs that spill at once can wait for each other for ever.
/// **Source**: <https://github.com/apache/datafusion/issues/24883>, mended after DataFusion 55.
const EXCHANGE: &str = "RepartitionExec[";

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
    /// From which the query's sorts and aggregates spill. **Units**: bytes.
    share: usize,
    exhausted: Exhausted,
}

impl QueryPool {
    pub(super) fn new(
        all: Arc<BudgetPool>,
        memory: Arc<QueryMemory>,
        share: usize,
        exhausted: Exhausted,
    ) -> Self {
        Self { all, memory, share, exhausted }
    }

    fn refuse(&self, reservation: &MemoryReservation, additional: usize) -> DataFusionError {
        DataFusionError::ResourcesExhausted(format!(
            "{} needs {} more; the query holds {} of its share of {}",
            reservation.consumer().name(),
            human_readable_size(additional),
            human_readable_size(self.memory.used()),
            human_readable_size(self.share),
        ))
    }
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(share: {})", self.name(), human_readable_size(self.share))
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &'static str {
        "query"
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
        let is_exchange = consumer.name().starts_with(EXCHANGE);
        let beyond_share = self.memory.used().saturating_add(additional) > self.share;
        if beyond_share && consumer.can_spill() && !is_exchange {
            return Err(self.refuse(reservation, additional));
        }
        match self.all.try_grow(reservation, additional) {
            Ok(()) => {
                self.memory.add(additional);
                Ok(())
            }
            Err(error) if is_exchange => {
                self.exhausted.tell(error.message().into_owned());
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

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::MemoryConsumer;
    use hexflight_engine::Budget;

    use super::*;

    fn pool(share: usize) -> (Arc<dyn MemoryPool>, Arc<QueryMemory>, Exhausted) {
        let all = Arc::new(BudgetPool::new(Budget::new(1_000), 1.0));
        let (memory, exhausted) = (Arc::<QueryMemory>::default(), Exhausted::default());
        let pool = QueryPool::new(all, Arc::clone(&memory), share, exhausted.clone());
        (Arc::new(pool), memory, exhausted)
    }

    #[test]
    fn what_can_spill_keeps_to_the_share() {
        let (pool, memory, _) = pool(100);
        let spills = MemoryConsumer::new("sort").with_can_spill(true).register(&pool);
        let keeps = MemoryConsumer::new("join").register(&pool);
        spills.try_grow(80).unwrap();
        assert!(spills.try_grow(30).is_err());
        keeps.try_grow(500).unwrap();
        assert_eq!((memory.used(), memory.peak()), (580, 580));
        drop((spills, keeps));
        assert_eq!((memory.used(), memory.peak()), (0, 580));
    }

    #[test]
    fn an_exchange_never_spills() {
        let (pool, memory, exhausted) = pool(100);
        let exchange = MemoryConsumer::new("RepartitionExec[0]").with_can_spill(true).register(&pool);
        exchange.try_grow(500).unwrap();
        assert!(exhausted.0.text.get().is_none());
        exchange.try_grow(200).unwrap();
        assert!(exhausted.0.text.get().is_some_and(|text| text.contains("RepartitionExec[0]")));
        assert_eq!(memory.used(), 700);
    }
}
