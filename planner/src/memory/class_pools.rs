//! `BudgetPool`: DataFusion's memory pool over the engine's budget. Queries have a share of it, which ends where that of events begins,
//! and small queries one of their own; a query that does not get its memory fails, nothing else does.

use std::{fmt, sync::Arc};

use datafusion::{
    common::human_readable_size,
    error::{DataFusionError, Result},
    execution::memory_pool::{MemoryLimit, MemoryPool, MemoryReservation},
};
use hexflight_engine::{Budget, Reservation};
use parking_lot::{Mutex, MutexGuard};

use crate::admission::Class;

/// Share of the whole budget above which queries take no more, whoever holds it: the rest is for what frees memory.
const BUDGET_SHARE_MAX: f64 = 0.95;

/// The pools of both classes.
#[derive(Debug, Clone)]
pub(crate) struct ClassPools {
    small: Arc<BudgetPool>,
    large: Arc<BudgetPool>,
}

impl ClassPools {
    /// Of a budget, of which large queries have at most `share`.
    pub(crate) fn new(budget: &Arc<Budget>, share: f64) -> Self {
        let large = Arc::new(BudgetPool::new(Arc::clone(budget), share));
        Self { small: Arc::new(BudgetPool::small(Arc::clone(budget))), large }
    }

    pub(crate) fn of(&self, class: Class) -> &Arc<BudgetPool> {
        match class {
            Class::Small => &self.small,
            Class::Large => &self.large,
        }
    }

    /// Whether queries of a class hold more than half of the memory that they may have.
    pub(crate) fn is_short(&self, class: Class) -> bool {
        let pool = self.of(class);
        pool.reserved() > pool.limit / 2
    }
}

/// Reserves for all queries of a class together, first come, first served.
#[derive(Debug)]
pub(crate) struct BudgetPool {
    budget: Arc<Budget>,
    /// Most that all queries may hold. **Units**: bytes.
    limit: usize,
    held: Mutex<Reservation>,
}

impl BudgetPool {
    /// A pool of at most `share` of the budget, and of what queries may take of it.
    pub(crate) fn new(budget: Arc<Budget>, share: f64) -> Self {
        let held = Mutex::new(budget.queries());
        let limit = budget.share(share).min(budget.queries_max());
        Self { budget, limit, held }
    }

    /// A pool of what small queries may take of the budget.
    fn small(budget: Arc<Budget>) -> Self {
        let held = Mutex::new(budget.small_queries());
        Self { limit: budget.small_queries_max(), budget, held }
    }

    /// Most that all queries may hold. **Units**: bytes.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// A panic while the lock is held cannot leave the reservation half changed.
    fn held(&self) -> MutexGuard<'_, Reservation> {
        self.held.lock()
    }

    fn refuse(&self, reservation: &MemoryReservation, additional: usize, held: usize) -> DataFusionError {
        DataFusionError::ResourcesExhausted(format!(
            "{} needs {} more for this query; queries hold {} of their {}, the whole process {} of {}",
            reservation.consumer().name(),
            human_readable_size(additional),
            human_readable_size(held),
            human_readable_size(self.limit),
            human_readable_size(self.budget.used()),
            human_readable_size(self.budget.limit()),
        ))
    }
}

impl fmt::Display for BudgetPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(limit: {})", self.name(), human_readable_size(self.limit))
    }
}

impl MemoryPool for BudgetPool {
    fn name(&self) -> &'static str {
        "budget"
    }

    /// DataFusion calls this for memory that it has already taken.
    fn grow(&self, _reservation: &MemoryReservation, additional: usize) {
        let mut held = self.held();
        let taken = held.again(additional);
        held.merge(taken);
    }

    fn shrink(&self, _reservation: &MemoryReservation, shrink: usize) {
        self.held().shrink(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut held = self.held();
        let before = held.bytes();
        if before.saturating_add(additional) > self.limit
            || held.try_grow(additional, BUDGET_SHARE_MAX).is_err()
        {
            metrics::counter!("hexflight_query_memory_refusals_total").increment(1);
            return Err(self.refuse(reservation, additional, before));
        }
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.held().bytes()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::MemoryConsumer;

    use super::*;

    #[test]
    fn refuses_beyond_its_share_with_the_numbers() {
        let budget = Budget::new(1_000);
        let pool: Arc<dyn MemoryPool> = Arc::new(BudgetPool::new(Arc::clone(&budget), 0.5));
        let reservation = MemoryConsumer::new("sort").register(&pool);
        reservation.try_grow(400).unwrap();
        let error = reservation.try_grow(200).unwrap_err().strip_backtrace();
        assert!(error.contains("sort needs 200.0 B more"), "{error}");
        assert!(error.contains("queries hold 400.0 B of their 500.0 B"), "{error}");
        assert_eq!(budget.used(), 400);
    }

    #[test]
    fn refuses_what_others_hold() {
        let budget = Budget::new(1_000);
        let ingest = budget.try_reserve(900, 1.0).unwrap();
        let pool: Arc<dyn MemoryPool> = Arc::new(BudgetPool::new(Arc::clone(&budget), 0.5));
        let reservation = MemoryConsumer::new("sort").register(&pool);
        assert!(reservation.try_grow(100).is_err());
        drop(ingest);
        reservation.try_grow(100).unwrap();
    }

    #[test]
    fn gives_everything_back() {
        let budget = Budget::new(1_000);
        let pool: Arc<dyn MemoryPool> = Arc::new(BudgetPool::new(Arc::clone(&budget), 1.0));
        let reservation = MemoryConsumer::new("sort").register(&pool);
        reservation.try_grow(300).unwrap();
        reservation.grow(2_000);
        assert_eq!((pool.reserved(), budget.used()), (2_300, 2_300));
        drop(reservation);
        assert_eq!((pool.reserved(), budget.used()), (0, 0));
    }
}
