//! What an engine gets from outside: a store that fails, a clock that stands still unless all wait, ids that come again.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
};

use hexflight_engine::{Clock, Engine, EngineOptions, Ids, Store};
use object_store::{memory::InMemory, prefix::PrefixStore};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::Instant;
use uuid::{Builder, Uuid};

use crate::{
    faulty_store::{FaultyStore, Trace},
    support::{START, until},
};

/// Share of puts that fail.
const FAILING: f64 = 0.2;

/// The surroundings of one engine.
pub(super) struct World {
    pub(super) trace: Trace,
    disk: Arc<PrefixStore<Arc<InMemory>>>,
    ids: Arc<SeededIds>,
    clock: PausedClock,
    rng: StdRng,
    failing: f64,
}

impl World {
    pub(super) fn new(node: &'static str, disk: &Arc<InMemory>, trace: &Trace, seed: u64) -> Self {
        let clock = PausedClock { began: Instant::now() };
        Self {
            trace: trace.of(node),
            disk: Arc::new(PrefixStore::new(Arc::clone(disk), node)),
            ids: Arc::new(SeededIds {
                clock,
                rng: Mutex::new(StdRng::seed_from_u64(seed)),
                count: AtomicU16::new(0),
            }),
            clock,
            rng: StdRng::seed_from_u64(seed),
            failing: FAILING,
        }
    }

    /// A number that the seed gives.
    pub(super) fn draw(&mut self, range: Range<u64>) -> u64 {
        self.rng.random_range(range)
    }

    /// Opens the engine over a store of its own, as often as it takes: an operator would start it again.
    pub(super) async fn open(&mut self, options: EngineOptions) -> (Arc<FaultyStore>, Arc<Engine>) {
        until("the engine opens", async || {
            let disk = Arc::<PrefixStore<Arc<InMemory>>>::clone(&self.disk);
            let faulty =
                Arc::new(FaultyStore::over(disk, self.rng.random(), self.failing).traced(&self.trace));
            let store =
                Store::new(Arc::<FaultyStore>::clone(&faulty)).with_ids(Arc::<SeededIds>::clone(&self.ids));
            let engine = Engine::open(store, options.clone(), Arc::new(self.clock)).await.ok();
            engine.map(|engine| (faulty, engine))
        })
        .await
    }

    /// From now on stores fail no more.
    pub(super) fn heal(&mut self) {
        self.failing = 0.0;
    }
}

/// Wall-clock time that goes as the runtime's does.
#[derive(Debug, Clone, Copy)]
struct PausedClock {
    began: Instant,
}

impl Clock for PausedClock {
    fn now_micros(&self) -> i64 {
        START + self.began.elapsed().as_micros() as i64
    }
}

#[derive(Debug)]
struct SeededIds {
    clock: PausedClock,
    rng: Mutex<StdRng>,
    count: AtomicU16,
}

impl Ids for SeededIds {
    fn timed(&self) -> Uuid {
        let mut random: [u8; 10] = self.rng.lock().unwrap().random();
        // Those of one millisecond sort in their order too.
        random[..2].copy_from_slice(&self.count.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        Builder::from_unix_timestamp_millis(self.clock.now_micros() as u64 / 1_000, &random).into_uuid()
    }

    fn random(&self) -> Uuid {
        Builder::from_random_bytes(self.rng.lock().unwrap().random()).into_uuid()
    }
}
