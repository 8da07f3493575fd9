//! Two engines on one thread, over one store in memory, in a world whose time, ids and faults come from a seed: what happens in minutes of theirs
//! happens again from the same seed, to the byte, within seconds of ours.
//!
//! Each has a prefix of its own; under one they would end each other's streams. `HEXFLIGHT_SIMULATIONS` says how many worlds, `HEXFLIGHT_SEED` which
//! is the first.

mod world;

use std::{sync::Arc, thread, time::Duration};

use futures::future::join_all;
use hexflight_engine::{Ack, Engine, EngineError, EngineOptions};
use object_store::memory::InMemory;

use self::world::World;
use crate::{
    faulty_store::{FaultyStore, Trace},
    support::{Rows, batch, events, options, rows, setting},
};

/// What a node does one after the other.
const STEPS: usize = 50;

#[test]
fn two_engines_under_one_seed_do_the_same_again() {
    let worlds = setting("HEXFLIGHT_SIMULATIONS", 2);
    let first = setting("HEXFLIGHT_SEED", 1) * worlds;
    let traces: Vec<_> = (first..first + worlds).map(twice).collect();
    assert!(traces.windows(2).all(|pair| pair[0] != pair[1]), "seeds change nothing");
    for what in ["not done", "fails: true", "restart", "crash", "put tables/events/", "delete tables/events/"]
    {
        for node in [" a: ", " b: "] {
            let mut lines = traces.iter().flatten();
            assert!(lines.any(|line| line.contains(node) && line.contains(what)), "{node}{what}");
        }
    }
}

/// What happens under a seed, each time.
fn twice(seed: u64) -> Vec<String> {
    let [one, other] = thread::scope(|scope| {
        let runs = [(), ()].map(|()| scope.spawn(|| run(seed)));
        runs.map(|run| run.join().map_err(|_| format!("seed {seed} fails")).unwrap())
    });
    for (at, (one, other)) in one.iter().zip(&other).enumerate() {
        assert_eq!(one, other, "seed {seed}, line {at}");
    }
    assert_eq!(one.len(), other.len(), "seed {seed}");
    one
}

/// What two engines asked the store for under a seed.
fn run(seed: u64) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let (disk, trace) = (Arc::new(InMemory::new()), Trace::begin());
        let nodes = [("a", 2 * seed), ("b", 2 * seed + 1)];
        let worlds = nodes.map(|(name, seed)| World::new(name, &disk, &trace, seed));
        join_all(worlds.map(|world| async { Node::start(world).await.live().await })).await;
        trace.lines()
    })
}

/// An engine, and what its clients know.
struct Node {
    world: World,
    store: Arc<FaultyStore>,
    engine: Arc<Engine>,
    /// Batches and their rows.
    sent: Vec<(String, i64)>,
    acked: Vec<usize>,
}

impl Node {
    async fn start(mut world: World) -> Self {
        let (store, engine) = world.open(frequent()).await;
        Self { world, store, engine, sent: vec![], acked: vec![] }
    }

    async fn live(mut self) {
        for _ in 0..STEPS {
            self.step().await;
            self.check().await;
        }
        self.world.heal();
        self.store.set_failing(0.0);
        self.engine.shutdown().await.unwrap();
        self.open_again().await;
        self.check().await;
    }

    async fn open_again(&mut self) {
        (self.store, self.engine) = self.world.open(frequent()).await;
    }

    async fn step(&mut self) {
        match self.world.draw(0..20) {
            0 => {
                self.world.trace.note("crash");
                self.store.set_failing(1.0);
                self.open_again().await;
            }
            1 => {
                self.world.trace.note("restart");
                // It fails where a put of the flush does: the log has the rows.
                let _ = self.engine.shutdown().await;
                self.open_again().await;
            }
            // These fail where their puts do, and are tried again in the background.
            2 | 3 => drop(self.engine.flush().await),
            4 => drop(self.engine.compact().await),
            5 => drop(self.engine.vacuum().await),
            6..=8 => tokio::time::sleep(Duration::from_millis(self.world.draw(0..20_000))).await,
            _ => self.send().await,
        }
    }

    /// Sends a few batches at once, and waits for their acknowledgements.
    async fn send(&mut self) {
        let mut pending = vec![];
        for _ in 0..self.world.draw(1..5) {
            let (name, rows) = (format!("batch-{}", self.sent.len()), self.world.draw(1..400) as i64);
            self.sent.push((name.clone(), rows));
            if let Ok(ack) = self.engine.append(&events(), &batch(&name, rows)).await {
                pending.push((self.sent.len() - 1, ack));
            }
        }
        for (n, ack) in pending {
            let end: Result<Ack, EngineError> = ack.wait().await;
            self.acked.extend(end.is_ok().then_some(n));
        }
    }

    /// Every acknowledged batch is there, once; one without an answer is there whole or not at all; no other is.
    async fn check(&self) {
        let mut found: Rows = rows(&self.engine, &self.engine.snapshot(&events()).unwrap()).await;
        for (n, (name, rows)) in self.sent.iter().enumerate() {
            match found.remove(name) {
                Some(values) => assert!(values.iter().copied().eq(0..*rows), "{name}: {values:?}"),
                None => assert!(!self.acked.contains(&n), "{name} was acknowledged and is gone"),
            }
        }
        assert!(found.is_empty(), "{found:?}");
    }
}

/// Everything happens in the background too, every few seconds.
fn frequent() -> EngineOptions {
    EngineOptions {
        flush_interval: Duration::from_secs(5),
        vacuum_after: Duration::from_secs(30),
        ..options()
    }
}
