//! Flushes run without pause while threads take snapshots: none is ever short of a row or has one twice.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use hexflight_engine::{Engine, Snapshot};

use crate::support::{batch, events, open, options};

const BATCHES_MIN: usize = 300;
const BATCHES_MAX: usize = 20_000;
const BATCH_ROWS: usize = 20;
/// What is to happen meanwhile, however fast or slow each is.
const FLUSHES_MIN: usize = 10;
const SNAPSHOTS_MIN: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_snapshot_is_off_by_a_row_while_generations_become_files() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), options()).await;
    let seen = Arc::new(Seen::default());
    let flusher = tokio::spawn(flush_without_pause(Arc::clone(&engine), Arc::clone(&seen)));
    let reader = || tokio::spawn(read_without_pause(Arc::clone(&engine), Arc::clone(&seen)));
    let readers: Vec<_> = (0..4).map(|_| reader()).collect();
    for n in 0..BATCHES_MAX {
        if n >= BATCHES_MIN && seen.is_enough() {
            break;
        }
        seen.sent.fetch_add(BATCH_ROWS, Ordering::SeqCst);
        let pending = engine.append(&events(), &batch(&n.to_string(), BATCH_ROWS as i64)).await.unwrap();
        pending.wait().await.unwrap();
        seen.acknowledged.fetch_add(BATCH_ROWS, Ordering::SeqCst);
    }
    seen.done.store(true, Ordering::SeqCst);
    flusher.await.unwrap();
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(seen.is_enough(), "{seen:?}");
    assert_eq!(row_count(&engine.snapshot(&events()).unwrap()), seen.sent.load(Ordering::SeqCst));
}

/// Rows, and how often was looked at them and were they moved.
#[derive(Debug, Default)]
struct Seen {
    sent: AtomicUsize,
    acknowledged: AtomicUsize,
    flushes: AtomicUsize,
    snapshots: AtomicUsize,
    done: AtomicBool,
}

impl Seen {
    fn is_enough(&self) -> bool {
        self.flushes.load(Ordering::SeqCst) >= FLUSHES_MIN
            && self.snapshots.load(Ordering::SeqCst) >= SNAPSHOTS_MIN
    }
}

async fn flush_without_pause(engine: Arc<Engine>, seen: Arc<Seen>) {
    while !seen.done.load(Ordering::SeqCst) {
        engine.flush().await.unwrap();
        seen.flushes.fetch_add(1, Ordering::SeqCst);
    }
}

async fn read_without_pause(engine: Arc<Engine>, seen: Arc<Seen>) {
    while !seen.done.load(Ordering::SeqCst) {
        let least = seen.acknowledged.load(Ordering::SeqCst);
        let rows = row_count(&engine.snapshot(&events()).unwrap());
        let most = seen.sent.load(Ordering::SeqCst);
        assert!(
            least <= rows && rows <= most && rows.is_multiple_of(BATCH_ROWS),
            "{least} <= {rows} <= {most}"
        );
        seen.snapshots.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
    }
}

fn row_count(snapshot: &Snapshot) -> usize {
    let in_memory: usize = snapshot.memory().map(|batch| batch.zone().row_count).sum();
    let in_files: u64 = snapshot.files().iter().filter_map(|file| file.row_count).sum();
    in_memory + in_files as usize
}
