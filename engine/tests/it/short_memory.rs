//! Memory is short: appends are taken or refused in time, whoever holds it, and nobody spins meanwhile.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use hexflight_engine::{Budget, Engine, EngineError, EngineOptions, ErrorKind, Reclaim, Reservation};

use crate::support::{batch, batch_of_an_hour, events, open, options};

const WAIT: Duration = Duration::from_millis(300);

/// What a test waits for at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// A cache that gives back all that it holds: nothing, once it was asked.
#[derive(Debug)]
struct Cache {
    held: Mutex<Reservation>,
    asked: AtomicUsize,
}

impl Reclaim for Cache {
    fn reclaim(&self, bytes: usize) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.held.lock().unwrap().shrink(bytes);
    }
}

#[tokio::test]
async fn an_append_that_finds_no_memory_is_refused_in_time_and_does_not_spin() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), EngineOptions { append_wait: WAIT, ..options() }).await;
    let cache = cache(engine.budget(), 0);
    let _held = engine.budget().try_reserve(256 << 20, 1.0).unwrap();

    let (table, started, batch) = (events(), Instant::now(), batch("a", 3));
    let appended = tokio::time::timeout(PATIENCE, engine.append(&table, &batch)).await;

    let refused = appended.expect("the append is neither taken nor refused").unwrap_err();
    assert_eq!((refused.kind(), refused.retry_ms()), (ErrorKind::Exhausted, Some(1_000)));
    assert!(refused.to_string().contains("(memory_limit)"), "{refused}");
    assert!(started.elapsed() >= WAIT);
    let asked = cache.asked.load(Ordering::Relaxed);
    assert!(asked < 10, "the cache was asked {asked} times");
}

#[tokio::test]
async fn queries_that_hold_all_they_may_leave_appends_their_share() {
    let directory = tempfile::tempdir().unwrap();
    let options = EngineOptions { memory_limit_bytes: 64 << 20, generation_rows_max: 50_000, ..options() };
    let engine = open(directory.path(), options).await;
    let mut queries = engine.budget().queries();
    queries.try_grow(engine.budget().queries_max(), 1.0).unwrap();
    assert!(queries.try_grow(1, 1.0).is_err());
    append_all(&engine, 60).await;
    assert!(engine.budget().peak() <= 64 << 20, "peak {}", engine.budget().peak());
}

#[tokio::test]
async fn caches_give_way_to_appends() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), EngineOptions { append_wait: WAIT, ..options() }).await;
    let budget = engine.budget();
    let _work = budget.try_reserve(budget.limit() - budget.queries_max(), 1.0).unwrap();
    let cache = cache(budget, budget.queries_max());
    engine.append(&events(), &batch("a", 3)).await.unwrap().wait().await.unwrap();
    assert_eq!(cache.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn rows_that_readers_keep_do_not_count_as_those_of_appends() {
    let directory = tempfile::tempdir().unwrap();
    let options = EngineOptions { memory_limit_bytes: 64 << 20, append_wait: WAIT, ..options() };
    let engine = open(directory.path(), options).await;
    append_all(&engine, 10).await;
    let kept = engine.snapshot(&events()).unwrap();
    engine.flush().await.unwrap();
    let (used, events_max) = (engine.budget().used(), engine.budget().events_max());
    assert!(used > 1 << 20, "readers keep {used} bytes");
    drop(engine.budget().try_events(events_max).unwrap());
    let mut queries = engine.budget().queries();
    assert!(queries.try_grow(engine.budget().queries_max() - used + 1, 1.0).is_err());
    drop(kept);
    assert_eq!(engine.budget().used(), 0);
}

#[tokio::test]
async fn an_append_whose_caller_leaves_gives_up_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), options()).await;
    let held = engine.budget().try_events(engine.budget().events_max()).unwrap();
    let waiting = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { engine.append(&events(), &batch("a", 3)).await.map(drop) }
    });
    until(|| engine.budget().waiting() == 1).await;
    waiting.abort();
    until(|| engine.budget().waiting() == 0).await;
    drop(held);
    assert_eq!(engine.budget().used(), 0);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_appends_without_memory() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), options()).await;
    let _held = engine.budget().try_events(engine.budget().events_max()).unwrap();
    let waiting = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { engine.append(&events(), &batch("a", 3)).await.map(drop) }
    });
    until(|| engine.budget().waiting() == 1).await;
    tokio::time::timeout(PATIENCE, engine.shutdown()).await.unwrap().unwrap();
    assert!(matches!(waiting.await.unwrap(), Err(EngineError::Closed)));
}

/// More rows than fit into memory, so that some appends wait for a flush.
async fn append_all(engine: &Engine, batches: usize) {
    let mut pending = std::collections::VecDeque::new();
    for number in 0..batches {
        let batch = batch_of_an_hour(&format!("{number}"), 10_000);
        pending.push_back(engine.append(&events(), &batch).await.unwrap());
        if pending.len() > 4 {
            pending.pop_front().unwrap().wait().await.unwrap();
        }
    }
    for ack in pending {
        ack.wait().await.unwrap();
    }
}

fn cache(budget: &Arc<Budget>, bytes: usize) -> Arc<Cache> {
    let mut held = budget.queries();
    held.try_grow(bytes, 1.0).unwrap();
    let cache = Arc::new(Cache { held: Mutex::new(held), asked: AtomicUsize::new(0) });
    let reclaim: Arc<dyn Reclaim> = Arc::<Cache>::clone(&cache);
    budget.add_reclaim(Arc::downgrade(&reclaim));
    cache
}

async fn until(is_so: impl Fn() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    waited.await.unwrap();
}
