//! Merges beside appends, flushes, loads, vacuums and readers; and two processes that merge the same files.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hexflight_engine::{Engine, EngineOptions, ErrorKind, OnBadRow, OnLoaded, Store, SystemClock};
use object_store::memory::InMemory;

use super::{BATCH_ROWS, all, asked, ingest_all, named, names, snapshot, stored};
use crate::{
    faulty_store::FaultyStore,
    import::source,
    support::{batch, events, expected, open, options, rows, until},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reader_ever_misses_a_row_or_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), asked()).await;
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> =
        (0..2).map(|_| tokio::spawn(read_all(Arc::clone(&engine), Arc::clone(&done)))).collect();
    let upkeep = tokio::spawn(keep_up(Arc::clone(&engine), Arc::clone(&done)));
    let appends = async {
        for n in 0..60 {
            let batch = batch(&format!("append-{n}"), BATCH_ROWS);
            engine.append(&events(), &batch).await.unwrap().wait().await.unwrap();
            if n % 2 == 1 {
                engine.flush().await.unwrap();
            }
        }
    };
    let loads = async {
        for n in 0..15 {
            let import = engine.begin_import(&events()).await.unwrap();
            import.push(batch(&format!("load-{n}"), BATCH_ROWS), OnBadRow::Refuse).await.unwrap();
            import.commit(&[source(n)], OnLoaded::Refuse).await.unwrap();
        }
    };
    tokio::join!(appends, loads);
    done.store(true, Ordering::SeqCst);
    let (merges, deleted) = upkeep.await.unwrap();
    assert!(merges > 3 && deleted > 10, "{merges} merges, {deleted} files deleted");
    for reader in readers {
        assert!(reader.await.unwrap() > 3);
    }
    engine.flush().await.unwrap();
    engine.compact().await.unwrap();
    let names: Vec<String> =
        (0..60).map(|n| format!("append-{n}")).chain((0..15).map(|n| format!("load-{n}"))).collect();
    assert_eq!(rows(&engine, &snapshot(&engine)).await, all(&names));
    engine.shutdown().await.unwrap();
    engine.vacuum().await.unwrap();
    assert_eq!(stored(&engine).await, named(&snapshot(&engine)));
    drop(engine);
    let revived = open(directory.path(), asked()).await;
    assert_eq!(rows(&revived, &snapshot(&revived)).await, all(&names));
}

/// Reads whole snapshots: each batch is there whole and once, and none that was there is gone.
async fn read_all(engine: Arc<Engine>, done: Arc<AtomicBool>) -> usize {
    let (mut seen, mut reads) = (0, 0);
    while !done.load(Ordering::SeqCst) {
        let held = snapshot(&engine);
        tokio::task::yield_now().await;
        let found = rows(&engine, &held).await;
        let whole: Vec<i64> = (0..BATCH_ROWS).collect();
        assert!(found.values().all(|values| *values == whole), "a batch is torn");
        assert!(found.len() >= seen, "{} batches after {seen}", found.len());
        (seen, reads) = (found.len(), reads + 1);
    }
    reads
}

async fn keep_up(engine: Arc<Engine>, done: Arc<AtomicBool>) -> (usize, usize) {
    let (mut merges, mut deleted) = (0, 0);
    while !done.load(Ordering::SeqCst) {
        merges += engine.compact().await.unwrap().rewrites;
        deleted += engine.vacuum().await.unwrap();
        tokio::task::yield_now().await;
    }
    (merges, deleted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_background_merges_what_flushes_make() {
    let directory = tempfile::tempdir().unwrap();
    let often = EngineOptions {
        flush_interval: Duration::from_millis(20),
        vacuum_after: Duration::ZERO,
        ..options()
    };
    let engine = open(directory.path(), often).await;
    let names = names(20);
    ingest_all(&engine, &names).await;
    until("everything is merged", async || (snapshot(&engine).files().len() <= 4).then_some(())).await;
    assert_eq!(rows(&engine, &snapshot(&engine)).await, all(&names));
    engine.shutdown().await.unwrap();
}

#[tokio::test]
async fn of_two_that_merge_the_same_files_one_wins() {
    let disk = Arc::new(InMemory::new());
    let start = async |seed| {
        let store = Store::new(Arc::new(FaultyStore::new(&disk, seed, 0.0)));
        Engine::open(store, asked(), Arc::new(SystemClock)).await.unwrap()
    };
    let one = start(1).await;
    let names = names(9);
    ingest_all(&one, &names).await;
    // It knows the files, and not what becomes of them.
    let other = start(2).await;
    assert!(one.compact().await.unwrap().rewrites > 0);
    let error = other.compact().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let found = rows(&other, &snapshot(&other)).await;
    assert_eq!(found, all(&names));
    assert_eq!(named(&snapshot(&one)), named(&snapshot(&other)));
    one.vacuum().await.unwrap();
    assert_eq!(stored(&one).await, named(&snapshot(&one)), "the loser's files are gone");
    assert_eq!(other.compact().await.unwrap().rewrites, 0);
    let both = expected(names.iter().map(|name| (name.as_str(), BATCH_ROWS)));
    assert_eq!(rows(&other, &snapshot(&other)).await, both);
}
