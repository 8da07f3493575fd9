//! `BoundParameters` remembers what a client binds to a prepared statement without taking the new handle back, bounded
//! and for a time.

use std::{collections::HashMap, sync::Arc, time::Duration};

use arrow_flight::FlightData;
use bytes::Bytes;
use hexflight_engine::{Budget, Reservation, time::Instant};
use parking_lot::{Mutex, MutexGuard};
use prost::Message;

use super::crowd::{Kept, gives_way};
use crate::auth::Caller;

/// Statements whose parameters are remembered.
const BOUND_MAX: usize = 256;

/// Part of the memory limit that remembered parameters may take together.
const BOUND_PART: usize = 32;

/// How long parameters are remembered after their last use.
const BOUND_FOR: Duration = Duration::from_secs(15 * 60);

/// Parameters by statement id.
#[derive(Debug)]
pub(super) struct BoundParameters {
    by_id: Mutex<HashMap<Bytes, Remembered>>,
    share: Arc<Budget>,
    total: Arc<Budget>,
}

#[derive(Debug)]
struct Remembered {
    parameters: Vec<FlightData>,
    used: Instant,
    user: Option<Arc<str>>,
    weight: usize,
    /// Of the share, and of everything.
    _memory: [Reservation; 2],
}

impl BoundParameters {
    pub(super) fn new(total: &Arc<Budget>) -> Self {
        let share = Budget::new(total.limit() / BOUND_PART);
        Self { by_id: Mutex::default(), share, total: Arc::clone(total) }
    }

    /// Remembers parameters in place of the oldest ones of whoever has most; what is larger than the share is not remembered.
    pub(super) fn remember(&self, id: Bytes, caller: &Caller, parameters: Vec<FlightData>, now: Instant) {
        let bytes = parameters.iter().map(Message::encoded_len).sum();
        // A share of the places, or of the bytes.
        let weight = bytes + self.share.limit() / BOUND_MAX;
        let mut bound = self.lock();
        bound.remove(&id);
        if bytes > self.share.limit() {
            return;
        }
        bound.retain(|_, known| now.saturating_duration_since(known.used) < BOUND_FOR);
        loop {
            if bound.len() < BOUND_MAX
                && let Ok(share) = self.share.try_reserve(bytes, 1.0)
            {
                let memory = [share, self.total.reserve_unchecked(bytes)];
                let user = caller.user.clone();
                bound.insert(id, Remembered { parameters, used: now, user, weight, _memory: memory });
                return;
            }
            let kept = bound.iter().map(|(key, known)| Kept {
                key,
                user: known.user.as_deref(),
                weight: known.weight,
                used: known.used,
            });
            let Some(oldest) = gives_way(kept, (caller.user.as_deref(), weight)).cloned() else { return };
            bound.remove(&oldest);
        }
    }

    pub(super) fn recall(&self, id: &Bytes, now: Instant) -> Option<Vec<FlightData>> {
        let mut bound = self.lock();
        let known = bound.get_mut(id)?;
        known.used = now;
        Some(known.parameters.clone())
    }

    /// Forgets a statement that was closed.
    pub(super) fn forget(&self, id: &Bytes) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Bytes, Remembered>> {
        self.by_id.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hexflight_engine::time;

    #[test]
    fn parameters_are_forgotten_after_a_time_and_when_closed() {
        let bound = BoundParameters::new(&Budget::new(64 << 20));
        let (start, id) = (time::now(), Bytes::from_static(b"a"));
        bound.remember(id.clone(), &Caller::default(), vec![FlightData::default()], start);
        assert!(bound.recall(&id, start).is_some());
        bound.remember(Bytes::from_static(b"b"), &Caller::default(), Vec::new(), start + BOUND_FOR);
        assert!(bound.recall(&id, start).is_none());
        bound.forget(&Bytes::from_static(b"b"));
        assert!(bound.recall(&Bytes::from_static(b"b"), start).is_none());
    }

    #[test]
    fn the_oldest_gives_way_when_memory_is_short() {
        let budget = Budget::new(BOUND_PART * 1_000);
        let bound = BoundParameters::new(&budget);
        let of =
            |bytes: usize| vec![FlightData { data_body: vec![0; bytes].into(), ..FlightData::default() }];
        let (start, [a, b, c]) = (time::now(), [b"a", b"b", b"c"].map(|id| Bytes::from_static(id)));
        bound.remember(a.clone(), &Caller::default(), of(400), start);
        bound.remember(b.clone(), &Caller::default(), of(400), start + Duration::from_secs(1));
        bound.remember(b.clone(), &Caller::default(), of(500), start + Duration::from_secs(2));
        assert!(bound.recall(&a, start).is_some());
        bound.remember(c.clone(), &Caller::default(), of(400), start + Duration::from_secs(3));
        assert!(bound.recall(&a, start).is_none() && bound.recall(&b, start).is_some());
        bound.remember(c.clone(), &Caller::default(), of(2_000), start + Duration::from_secs(4));
        assert!(bound.recall(&c, start).is_none() && bound.recall(&b, start).is_some());
        drop(bound);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn the_oldest_gives_way_at_the_limit() {
        let bound = BoundParameters::new(&Budget::new(64 << 20));
        let start = time::now();
        for index in 0..=BOUND_MAX {
            let used = start + Duration::from_millis(index as u64);
            bound.remember(Bytes::from(index.to_be_bytes().to_vec()), &Caller::default(), Vec::new(), used);
        }
        assert_eq!(bound.lock().len(), BOUND_MAX);
        assert!(bound.recall(&Bytes::from(0_usize.to_be_bytes().to_vec()), start).is_none());
    }
}
