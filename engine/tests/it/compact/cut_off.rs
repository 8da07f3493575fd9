//! Merges that are cut off: by a crash at any step, by a store that fails, by a shutdown.

use std::{path::Path, sync::Arc};

use hexflight_engine::{Engine, Files, Store, SystemClock};
use object_store::memory::InMemory;

use super::{all, asked, ingest_all, named, names, snapshot, stored};
use crate::{
    faulty_store::FaultyStore,
    recording::RecordingFiles,
    support::{Rows, open, rows, until},
};

/// 0 loses everything that was not fsynced, 1 nothing, the others some of it.
const SEEDS: [u64; 3] = [0, 1, 3];

#[tokio::test]
async fn every_crash_image_of_a_merge_holds_all_rows_once() {
    let directory = tempfile::tempdir().unwrap();
    let files = Arc::new(RecordingFiles::new(directory.path()).unwrap());
    let layer: Arc<dyn Files> = Arc::<RecordingFiles>::clone(&files);
    let store = Store::over_files(directory.path(), layer).await.unwrap();
    let engine = Engine::open(store, asked(), Arc::new(SystemClock)).await.unwrap();
    let names = names(10);
    ingest_all(&engine, &names).await;
    let first = files.steps();
    assert!(engine.compact().await.unwrap().rewrites > 0);
    assert!(engine.vacuum().await.unwrap() > 0);
    let last = files.steps();
    assert!(last > first + 10, "{first} to {last}");
    for step in first..=last {
        for seed in SEEDS {
            let image = tempfile::tempdir().unwrap();
            files.crash_image(step, seed, image.path()).unwrap();
            let found = read_and_go_on(image.path()).await;
            assert_eq!(found, all(&names), "step {step}, seed {seed}");
        }
    }
}

/// Opens an image, merges and vacuums again, and says what is there.
async fn read_and_go_on(image: &Path) -> Rows {
    let engine = open(image, asked()).await;
    let found = rows(&engine, &snapshot(&engine)).await;
    engine.compact().await.unwrap();
    engine.vacuum().await.unwrap();
    assert_eq!(rows(&engine, &snapshot(&engine)).await, found);
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_loses_and_doubles_nothing() {
    for seed in 0..10 {
        let disk = Arc::new(InMemory::new());
        let broken = Arc::new(FaultyStore::new(&disk, seed, 0.0));
        let engine = over(Arc::clone(&broken)).await;
        let names = names(14);
        ingest_all(&engine, &names).await;
        broken.set_failing(0.5);
        // Half of the failing puts are done, of files as well as of versions.
        let merge = async || {
            let end = engine.compact().await;
            assert_eq!(rows(&engine, &snapshot(&engine)).await, all(&names), "seed {seed}");
            engine.vacuum().await.unwrap();
            end.ok()
        };
        until("everything is merged", merge).await;
        assert!(snapshot(&engine).files().len() <= 4, "seed {seed}");
        drop(engine);
        let revived = over(Arc::new(FaultyStore::new(&disk, seed, 0.0))).await;
        assert_eq!(rows(&revived, &snapshot(&revived)).await, all(&names), "seed {seed}, after a restart");
    }
}

#[tokio::test]
async fn a_merge_that_cannot_put_its_files_leaves_none() {
    let disk = Arc::new(InMemory::new());
    let broken = Arc::new(FaultyStore::new(&disk, 1, 0.0));
    let engine = over(Arc::clone(&broken)).await;
    let names = names(9);
    ingest_all(&engine, &names).await;
    broken.set_failing(1.0);
    engine.compact().await.unwrap_err();
    broken.set_failing(0.0);
    assert_eq!(stored(&engine).await, named(&snapshot(&engine)));
    engine.health().unwrap();
    assert!(engine.compact().await.unwrap().rewrites > 0);
    assert_eq!(rows(&engine, &snapshot(&engine)).await, all(&names));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_ends_a_merge_and_leaves_nothing_of_it() {
    for _ in 0..10 {
        let directory = tempfile::tempdir().unwrap();
        let engine = open(directory.path(), asked()).await;
        let names = names(9);
        ingest_all(&engine, &names).await;
        let merging = tokio::spawn({
            let engine = Arc::clone(&engine);
            async move { engine.compact().await }
        });
        tokio::task::yield_now().await;
        engine.shutdown().await.unwrap();
        // Either it was done before, or it was ended.
        let _ = merging.await.unwrap();
        engine.vacuum().await.unwrap();
        assert_eq!(stored(&engine).await, named(&snapshot(&engine)));
        assert_eq!(rows(&engine, &snapshot(&engine)).await, all(&names));
    }
}

async fn over(store: Arc<FaultyStore>) -> Arc<Engine> {
    Engine::open(Store::new(store), asked(), Arc::new(SystemClock)).await.unwrap()
}
