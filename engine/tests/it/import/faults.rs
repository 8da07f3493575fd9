//! Crashes at any step and stores that fail: a load is there whole and once, or not at all.

use std::{path::Path, sync::Arc};

use hexflight_engine::{Engine, ErrorKind, Files, Store, SystemClock};
use object_store::memory::InMemory;

use super::load;
use crate::{
    faulty_store::FaultyStore,
    recording::RecordingFiles,
    support::{Rows, batch, events, expected, flush_until_done, open_over, options, rows},
};

const LOAD_ROWS: i64 = 60;
/// 0 loses everything that was not fsynced, the others some of it.
const SEEDS: [u64; 3] = [0, 2, 3];
/// Images opened; the steps are spread evenly.
const IMAGES_MAX: usize = 45;

#[tokio::test]
async fn every_crash_image_holds_a_load_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let files = Arc::new(RecordingFiles::new(directory.path()).unwrap());
    let done = run(directory.path(), &files).await;
    let stride = (files.steps() * SEEDS.len() / IMAGES_MAX).max(1);
    let mut without = 0;
    for step in (0..=files.steps()).step_by(stride) {
        for seed in SEEDS {
            let image = tempfile::tempdir().unwrap();
            files.crash_image(step, seed, image.path()).unwrap();
            let store = Store::open_local(image.path()).await.unwrap();
            let engine = Engine::open(store, options(), Arc::new(SystemClock)).await.unwrap();
            let found = rows(&engine, &engine.snapshot(&events()).unwrap()).await;
            for (source, (name, done_at)) in (1..).zip(&done) {
                let is_there = found.contains_key(name);
                let case = format!("{name} in step {step}, seed {seed}");
                assert!(is_there || *done_at > step, "{case} is gone");
                assert_eq!(
                    engine.is_imported(&events(), &super::source(source)).unwrap(),
                    is_there,
                    "{case}"
                );
                assert!(!is_there || found[name] == (0..LOAD_ROWS).collect::<Vec<_>>(), "{case} is torn");
                without += usize::from(!is_there);
            }
            // What was cut off can be loaded again.
            for (source, (name, _)) in (1..).zip(&done) {
                let again = load(&engine, &[batch(name, LOAD_ROWS)], source).await;
                assert_eq!(again.is_err(), found.contains_key(name), "{again:?}");
            }
            let all = rows(&engine, &engine.snapshot(&events()).unwrap()).await;
            assert!(done.iter().all(|(name, _)| all[name].len() == LOAD_ROWS as usize));
        }
    }
    assert!(without > 0);
}

/// Loads between appends and flushes; returns each load's name and the step at which its commit returned.
async fn run(directory: &Path, files: &Arc<RecordingFiles>) -> Vec<(String, usize)> {
    let layer: Arc<dyn Files> = Arc::<RecordingFiles>::clone(files);
    let store = Store::over_files(directory, layer).await.unwrap();
    let engine = Engine::open(store, options(), Arc::new(SystemClock)).await.unwrap();
    let mut done = vec![];
    for source in 1..=4 {
        let (name, appended) = (format!("load-{source}"), format!("append-{source}"));
        engine.append(&events(), &batch(&appended, 30)).await.unwrap().wait().await.unwrap();
        load(&engine, &[batch(&name, LOAD_ROWS)], source).await.unwrap();
        done.push((name, files.steps()));
        engine.flush().await.unwrap();
    }
    engine.shutdown().await.unwrap();
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_outcomes_neither_lose_nor_double_a_load() {
    for seed in 0..12 {
        let disk = Arc::new(InMemory::new());
        let engine = open_over(FaultyStore::new(&disk, seed, 0.3), options()).await;
        for source in 1..=4 {
            let name = format!("load-{source}");
            let appended = engine.append(&events(), &batch(&format!("append-{source}"), 20)).await.unwrap();
            appended.wait().await.unwrap();
            while !engine.is_imported(&events(), &super::source(source)).unwrap() {
                match load(&engine, &[batch(&name, LOAD_ROWS)], source).await {
                    Ok(summary) => assert_eq!(summary.rows, LOAD_ROWS as u64),
                    Err(error) => assert!(
                        matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Conflict),
                        "{error}"
                    ),
                }
            }
        }
        flush_until_done(&engine).await;
        let names: Vec<(String, i64)> =
            (1..=4).flat_map(|n| [(format!("load-{n}"), LOAD_ROWS), (format!("append-{n}"), 20)]).collect();
        let all = expected(names.iter().map(|(name, rows)| (name.as_str(), *rows)));
        assert_eq!(visible(&engine).await, all, "seed {seed}");
        drop(engine);
        let revived = open_over(FaultyStore::new(&disk, seed + 100, 0.0), options()).await;
        assert_eq!(visible(&revived).await, all, "seed {seed}, after a restart");
    }
}

#[tokio::test]
async fn a_store_that_refuses_files_fails_the_load_and_nothing_else() {
    let disk = Arc::new(InMemory::new());
    let broken = Arc::new(FaultyStore::new(&disk, 1, 0.0));
    let store = Store::new(Arc::<FaultyStore>::clone(&broken));
    let engine = Engine::open(store, options(), Arc::new(SystemClock)).await.unwrap();
    engine.append(&events(), &batch("a", 40)).await.unwrap().wait().await.unwrap();
    broken.set_failing(1.0);
    let refused = load(&engine, &[batch("b", 40)], 1).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    broken.set_failing(0.0);
    assert_eq!(visible(&engine).await, expected([("a", 40)]));
    load(&engine, &[batch("b", 40)], 1).await.unwrap();
    engine.append(&events(), &batch("c", 40)).await.unwrap().wait().await.unwrap();
    assert_eq!(visible(&engine).await, expected([("a", 40), ("b", 40), ("c", 40)]));
}

async fn visible(engine: &Engine) -> Rows {
    rows(engine, &engine.snapshot(&events()).unwrap()).await
}
