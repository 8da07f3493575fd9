//! Flushes run without pause while threads take snapshots: none is ever short of a row or has one twice.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use hexflight_engine::{Engine, Snapshot};

use crate::support::{batch, events, open, options};

const BATCHES: usize = 300;
const BATCH_ROWS: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_snapshot_is_off_by_a_row_while_generations_become_files() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), options()).await;
    let (acknowledged, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let done = Arc::new(AtomicBool::new(false));
    let flusher = tokio::spawn(flush_without_pause(Arc::clone(&engine), Arc::clone(&done)));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (engine, acknowledged, sent, done) =
                (Arc::clone(&engine), Arc::clone(&acknowledged), Arc::clone(&sent), Arc::clone(&done));
            tokio::spawn(async move { read_without_pause(&engine, &acknowledged, &sent, &done).await })
        })
        .collect();
    for n in 0..BATCHES {
        sent.fetch_add(BATCH_ROWS, Ordering::SeqCst);
        let pending = engine.append(&events(), &batch(&n.to_string(), BATCH_ROWS as i64)).await.unwrap();
        pending.wait().await.unwrap();
        acknowledged.fetch_add(BATCH_ROWS, Ordering::SeqCst);
    }
    done.store(true, Ordering::SeqCst);
    let flushes = flusher.await.unwrap();
    let mut snapshots = 0;
    for reader in readers {
        snapshots += reader.await.unwrap();
    }
    assert!(flushes > 10 && snapshots > 100, "{flushes} flushes, {snapshots} snapshots");
    assert_eq!(row_count(&engine.snapshot(&events()).unwrap()), BATCHES * BATCH_ROWS);
}

async fn flush_without_pause(engine: Arc<Engine>, done: Arc<AtomicBool>) -> usize {
    let mut flushes = 0;
    while !done.load(Ordering::SeqCst) {
        engine.flush().await.unwrap();
        flushes += 1;
    }
    flushes
}

async fn read_without_pause(
    engine: &Engine,
    acknowledged: &AtomicUsize,
    sent: &AtomicUsize,
    done: &AtomicBool,
) -> usize {
    let mut snapshots = 0;
    while !done.load(Ordering::SeqCst) {
        let least = acknowledged.load(Ordering::SeqCst);
        let rows = row_count(&engine.snapshot(&events()).unwrap());
        let most = sent.load(Ordering::SeqCst);
        assert!(
            least <= rows && rows <= most && rows.is_multiple_of(BATCH_ROWS),
            "{least} <= {rows} <= {most}"
        );
        snapshots += 1;
        tokio::task::yield_now().await;
    }
    snapshots
}

fn row_count(snapshot: &Snapshot) -> usize {
    let in_memory: usize = snapshot.memory().map(|batch| batch.zone().row_count).sum();
    let in_files: u64 = snapshot.files().iter().filter_map(|file| file.row_count).sum();
    in_memory + in_files as usize
}
