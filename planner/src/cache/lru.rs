//! `Lru`: parts of files by file, kind and place, as many as memory allows; the least recently used go first.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Weak},
};

use hexflight_engine::{Budget, DataFile, Reclaim, Reservation};
use parking_lot::{Mutex, MutexGuard};

/// Share of the whole budget up to which something is kept: above it memory is short.
const BUDGET_SHARE_MAX: f64 = 0.8;
/// Part of the limit that is freed at once when it is reached, so that the oldest need not be looked for at each insert.
const EVICTED_PART: usize = 8;
/// Part of the limit beyond which a value is large: where memory is short none takes the place of what is kept. Lists of devices of many files,
/// asked for one after the other, would push each other out, and all that is small as well.
const LITTLE_PART: usize = 2_048;
/// Part of the limit that is freed at once where memory is short.
const EVICTED_SHORT_PART: usize = 64;
/// Part of the limit that is not given back when others ask: what every question of a dashboard begins with, read again and again otherwise.
const KEPT_PART: usize = 8;

/// What is kept of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Address of the file's description, which the entry keeps from being used again.
    file: usize,
    kind: &'static str,
    place: u128,
}

impl Key {
    pub(super) fn new(file: &Arc<DataFile>, kind: &'static str, place: u128) -> Self {
        Self { file: Arc::as_ptr(file) as usize, kind, place }
    }
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    used: u64,
    file: Weak<DataFile>,
}

#[derive(Debug)]
struct Inner<V> {
    entries: HashMap<Key, Entry<V>>,
    held: Reservation,
    /// Counts uses.
    clock: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Lru<V> {
    budget: Arc<Budget>,
    limit: usize,
    inner: Mutex<Inner<V>>,
}

impl<V: Clone + fmt::Debug + Send + 'static> Lru<V> {
    /// Holds at most `limit` bytes of `budget`, less when others need them.
    pub(super) fn new(budget: &Arc<Budget>, limit: usize) -> Arc<Self> {
        let inner = Inner { entries: HashMap::new(), held: budget.queries(), clock: 0 };
        let lru = Arc::new(Self { budget: Arc::clone(budget), limit, inner: Mutex::new(inner) });
        let reclaim: Arc<dyn Reclaim> = Arc::<Self>::clone(&lru);
        budget.add_reclaim(Arc::downgrade(&reclaim));
        lru
    }

    pub(super) fn get(&self, key: &Key) -> Option<V> {
        let mut inner = self.lock();
        inner.clock += 1;
        let clock = inner.clock;
        let found = inner.entries.get_mut(key).map(|entry| {
            entry.used = clock;
            entry.value.clone()
        });
        // Counting takes longer than looking.
        drop(inner);
        let result = if found.is_some() { "hit" } else { "miss" };
        metrics::counter!("hexflight_cache_requests_total", "part" => key.kind, "result" => result)
            .increment(1);
        found
    }

    /// Keeps a value if there is memory for it, and nobody waits for that. Returns whether it does.
    pub(super) fn insert(&self, file: &Arc<DataFile>, key: Key, value: V, bytes: usize) -> bool {
        if bytes > self.limit / EVICTED_PART || self.budget.waiting() > 0 {
            return false;
        }
        let mut inner = self.lock();
        if inner.held.bytes() + bytes > self.limit {
            inner.evict(self.limit / EVICTED_PART);
        }
        if inner.held.try_grow(bytes, BUDGET_SHARE_MAX).is_err() {
            if bytes > self.limit / LITTLE_PART {
                return false;
            }
            inner.evict(self.limit / EVICTED_SHORT_PART);
            if inner.held.try_grow(bytes, BUDGET_SHARE_MAX).is_err() {
                return false;
            }
        }
        inner.clock += 1;
        let entry = Entry { value, bytes, used: inner.clock, file: Arc::downgrade(file) };
        if let Some(before) = inner.entries.insert(key, entry) {
            inner.held.shrink(before.bytes);
        }
        metrics::gauge!("hexflight_cache_used_bytes").set(inner.held.bytes() as f64);
        true
    }

    /// Forgets every entry of a kind.
    pub(super) fn forget(&self, kind: &str) {
        let mut inner = self.lock();
        let mut freed = 0;
        inner.entries.retain(|key, entry| {
            freed += if key.kind == kind { entry.bytes } else { 0 };
            key.kind != kind
        });
        inner.held.shrink(freed);
    }

    fn lock(&self) -> MutexGuard<'_, Inner<V>> {
        self.inner.lock()
    }
}

impl<V> Inner<V> {
    /// Frees `bytes` or more if that much is held: first what belongs to files that are gone, then the least recently used.
    fn evict(&mut self, bytes: usize) {
        if self.entries.is_empty() {
            return;
        }
        let mut by_use: Vec<(bool, u64, Key, usize)> = self
            .entries
            .iter()
            .map(|(key, entry)| (entry.file.strong_count() > 0, entry.used, *key, entry.bytes))
            .collect();
        by_use.sort_unstable_by_key(|(is_alive, used, _, _)| (*is_alive, *used));
        let mut freed = 0;
        for (is_alive, _, key, of_entry) in by_use {
            if is_alive && freed >= bytes {
                break;
            }
            self.entries.remove(&key);
            freed += of_entry;
            metrics::counter!("hexflight_cache_evictions_total", "part" => key.kind).increment(1);
        }
        self.held.shrink(freed);
    }
}

impl<V: Clone + fmt::Debug + Send + 'static> Reclaim for Lru<V> {
    /// Whoever holds the lock is about to make room by itself.
    fn reclaim(&self, bytes: usize) {
        let Some(mut inner) = self.inner.try_lock() else { return };
        let spare = inner.held.bytes().saturating_sub(self.limit / KEPT_PART);
        inner.evict(bytes.max(self.limit / EVICTED_PART).min(spare));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use object_store::path::Path;

    use super::*;

    #[test]
    fn the_least_recently_used_go_first_and_others_never_wait() {
        let budget = Budget::new(10_000);
        let lru = Lru::new(&budget, 4_000);
        let file = file();
        let key = |place| Key::new(&file, "part", place);
        assert!((0..8).all(|place| lru.insert(&file, key(place), place, 500)));
        assert_eq!((lru.get(&key(0)), budget.used()), (Some(0), 4_000));
        assert!(lru.insert(&file, key(8), 8, 500));
        assert_eq!((lru.get(&key(0)), lru.get(&key(1)), lru.get(&key(8))), (Some(0), None, Some(8)));
        // An eighth of the limit is kept whatever others ask for.
        assert!(budget.try_reserve(9_501, 1.0).is_err());
        assert_eq!(lru.get(&key(8)), Some(8));
        let taken = budget.try_reserve(9_000, 1.0).unwrap();
        assert!(budget.used() <= 10_000, "{}", budget.used());
        assert!(!lru.insert(&file, key(9), 9, 500));
        assert_eq!(lru.get(&key(9)), None);
        drop(taken);
    }

    fn file() -> Arc<DataFile> {
        Arc::new(DataFile {
            location: Path::from("a.parquet"),
            size_bytes: 1,
            row_count: None,
            modified_ms: 0,
            columns: BTreeMap::new(),
            rollup: None,
            checksums: None,
        })
    }
}
