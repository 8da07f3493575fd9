//! Tests of [`Budget`] and of the queue in front of it.

use std::{
    pin::{Pin, pin},
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use super::*;
use crate::time;

const LIMIT: usize = 1_000;

/// A cache that has nothing to give, and gives that.
#[derive(Debug)]
struct EmptyCache {
    held: Mutex<Reservation>,
    asked: AtomicUsize,
}

impl Reclaim for EmptyCache {
    fn reclaim(&self, bytes: usize) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.held.lock().shrink(bytes);
    }
}

/// Counts how often a task is woken.
#[derive(Debug, Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn who_waits_is_woken_by_what_it_waits_for_and_by_nothing_else() {
    let budget = Budget::new(LIMIT);
    let cache = empty_cache(&budget);
    let (held, other) = (query(&budget, 600), budget.events_unchecked(150));
    let wakes = Arc::new(Wakes::default());
    let mut waiting = pin!(budget.events(100, in_a_minute(), || {}));

    assert!(look(&wakes, waiting.as_mut()).is_pending());
    assert_eq!((cache.asked.load(Ordering::Relaxed), wakes.0.load(Ordering::Relaxed)), (1, 0));
    (0..50).for_each(|_| drop(query(&budget, 0)));
    drop(other);
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    assert!(matches!(look(&wakes, waiting.as_mut()), Poll::Ready(Ok(granted)) if granted.bytes() == 100));
    assert_eq!(cache.asked.load(Ordering::Relaxed), 1);
    drop(held);
}

#[test]
fn flushed_rows_that_are_still_read_are_known_until_they_are_let_go() {
    let budget = Budget::new(LIMIT);
    let cached = query(&budget, 500);
    let flushed: Vec<Reservation> = (0..2).map(|_| budget.events_unchecked(220)).collect();
    assert!(!budget.flushed_is_much());
    flushed.iter().for_each(Reservation::leave_to_queries);
    assert!(budget.flushed_is_much());
    let held = |holder: &str| budget.held().into_iter().find(|(by, _)| *by == holder).unwrap().1;
    assert_eq!((held("events"), held("queries"), held("flushed")), (0, 500, 440));
    drop(flushed);
    assert!(!budget.flushed_is_much());
    assert_eq!((held("flushed"), budget.used()), (0, cached.bytes()));
}

#[tokio::test]
async fn who_came_first_is_served_first() {
    let budget = Budget::new(LIMIT);
    let held = budget.events_unchecked(500);
    let wakes = Arc::new(Wakes::default());
    let mut large = pin!(budget.events(400, in_a_minute(), || {}));
    let mut small = pin!(budget.events(100, in_a_minute(), || {}));
    assert!(look(&wakes, large.as_mut()).is_pending() && look(&wakes, small.as_mut()).is_pending());
    let mut held = held;
    held.shrink(200);
    assert!(budget.try_events(1).is_err(), "somebody has overtaken those who wait");
    assert!(look(&wakes, small.as_mut()).is_pending());
    held.shrink(300);
    assert!(look(&wakes, large.as_mut()).is_ready() && look(&wakes, small.as_mut()).is_ready());
}

#[tokio::test]
async fn the_place_of_one_who_leaves_goes_to_the_next() {
    let budget = Budget::new(LIMIT);
    let _held = budget.events_unchecked(400);
    let wakes = Arc::new(Wakes::default());
    let mut large = Box::pin(budget.events(400, in_a_minute(), || {}));
    let mut small = pin!(budget.events(100, in_a_minute(), || {}));
    assert!(look(&wakes, large.as_mut()).is_pending() && look(&wakes, small.as_mut()).is_pending());
    assert_eq!(budget.waiting(), 2);
    drop(large);
    assert!(look(&wakes, small.as_mut()).is_ready());
    assert_eq!((budget.waiting(), budget.used()), (0, 400));
}

#[tokio::test]
async fn memory_that_was_granted_to_one_who_left_goes_on() {
    let budget = Budget::new(LIMIT);
    let held = budget.events_unchecked(500);
    let wakes = Arc::new(Wakes::default());
    let mut first = Box::pin(budget.events(500, in_a_minute(), || {}));
    let mut second = pin!(budget.events(500, in_a_minute(), || {}));
    assert!(look(&wakes, first.as_mut()).is_pending() && look(&wakes, second.as_mut()).is_pending());
    drop(held);
    drop(first);
    assert!(look(&wakes, second.as_mut()).is_ready());
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn a_wait_ends_at_its_deadline_and_names_the_rule() {
    let budget = Budget::new(LIMIT);
    let _cache = empty_cache(&budget);
    let _held = (query(&budget, 600), budget.events_unchecked(200));
    let mut shortages = 0;
    let deadline = time::now() + Duration::from_millis(20);
    let refused = budget.events(100, deadline, || shortages += 1).await.unwrap_err().to_string();
    assert!(refused.contains("100 bytes requested, 800 of 800 in use by events and queries"), "{refused}");
    assert!(refused.contains("retry in 1000 ms"), "{refused}");
    assert_eq!((shortages, budget.waiting()), (1, 0));
}

#[tokio::test]
async fn what_never_fits_is_refused_at_once() {
    let budget = Budget::new(LIMIT);
    let refused = budget.events(501, in_a_minute(), || {}).await.unwrap_err();
    assert_eq!(refused.kind(), crate::error::ErrorKind::Invalid);
    assert!(refused.to_string().contains("501 bytes of memory, more than the 500"), "{refused}");
}

#[tokio::test]
async fn nobody_waits_once_the_queue_is_closed() {
    let budget = Budget::new(LIMIT);
    let held = budget.events_unchecked(500);
    let wakes = Arc::new(Wakes::default());
    let mut waiting = pin!(budget.events(100, in_a_minute(), || {}));
    assert!(look(&wakes, waiting.as_mut()).is_pending());
    budget.refuse_waiting();
    assert!(matches!(look(&wakes, waiting.as_mut()), Poll::Ready(Err(EngineError::Closed))));
    assert!(matches!(budget.events(100, in_a_minute(), || {}).await, Err(EngineError::Closed)));
    drop(held);
    budget.events(100, in_a_minute(), || {}).await.unwrap();
}

#[test]
fn rows_that_only_queries_still_read_are_theirs() {
    let budget = Budget::new(LIMIT);
    let read_on = budget.events_unchecked(400);
    read_on.leave_to_queries();
    read_on.leave_to_queries();
    assert!(query(&budget, 0).try_grow(300, 1.0).is_err());
    let events = budget.try_events(400).unwrap();
    assert_eq!(budget.used(), 800);
    drop((read_on, events));
    assert_eq!(budget.used(), 0);
}

fn empty_cache(budget: &Arc<Budget>) -> Arc<EmptyCache> {
    let cache = Arc::new(EmptyCache { held: Mutex::new(budget.queries()), asked: AtomicUsize::new(0) });
    let reclaim: Arc<dyn Reclaim> = Arc::<EmptyCache>::clone(&cache);
    budget.add_reclaim(Arc::downgrade(&reclaim));
    cache
}

fn query(budget: &Arc<Budget>, bytes: usize) -> Reservation {
    let mut held = budget.queries();
    held.try_grow(bytes, 1.0).unwrap();
    held
}

fn in_a_minute() -> Instant {
    time::now() + Duration::from_mins(1)
}

fn look<F: Future>(wakes: &Arc<Wakes>, future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(wakes))))
}
