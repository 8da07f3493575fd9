//! A gap in a stream that was there from the beginning: the commit behind it landed and was never acknowledged. It is set aside, and no
//! crash meanwhile loses it.

use std::{path::Path, sync::Arc};

use hexflight_engine::{Engine, EngineOptions, Files, Store, SystemClock};
use object_store::memory::InMemory;
use tempfile::TempDir;

use super::image::{Tree, tree};
use crate::{
    faulty_store::FaultyStore,
    recording::RecordingFiles,
    support::{Rows, batch, events, expected, open, options, rows, until},
};

/// Steps between two images.
const STRIDE: usize = 9;

#[tokio::test]
async fn what_lies_behind_a_gap_that_was_never_acknowledged_is_set_aside() {
    let (directory, behind) = gap().await;
    let bytes = tree(directory.path())[&behind].clone();
    for expected_findings in [1, 0] {
        let engine = open(directory.path(), options()).await;
        assert_eq!(visible(&engine).await, expected([("one", 40)]));
        let findings = engine.findings();
        assert_eq!(findings.len(), expected_findings, "{findings:?}");
        assert!(findings.iter().all(|finding| finding.object.ends_with("2.wal")), "{findings:?}");
        engine.shutdown().await.unwrap();
    }
    let after = tree(directory.path());
    assert_eq!(after.get(&behind), None);
    assert!(after.get(&format!("quarantine/{behind}")) == Some(&bytes));
}

#[tokio::test]
async fn a_crash_while_a_commit_is_set_aside_loses_nothing() {
    let (directory, behind) = gap().await;
    let bytes = tree(directory.path())[&behind].clone();
    let files = Arc::new(RecordingFiles::new(directory.path()).unwrap());
    let layer: Arc<dyn Files> = Arc::<RecordingFiles>::clone(&files);
    // Steps before this made what is there.
    let first = files.steps();
    let store = Store::over_files(directory.path(), layer).await.unwrap();
    let engine = Engine::open(store, options(), Arc::new(SystemClock)).await.unwrap();
    engine.shutdown().await.unwrap();
    let is_kept = |tree: &Tree| {
        [behind.clone(), format!("quarantine/{behind}")].iter().any(|place| tree.get(place) == Some(&bytes))
    };
    for step in (first..=files.steps()).step_by(STRIDE) {
        for seed in 0..3 {
            let image = tempfile::tempdir().unwrap();
            files.crash_image(step, seed, image.path()).unwrap();
            assert!(is_kept(&tree(image.path())), "step {step}, seed {seed}");
            let engine = open(image.path(), options()).await;
            assert_eq!(visible(&engine).await, expected([("one", 40)]), "step {step}, seed {seed}");
            engine.shutdown().await.unwrap();
            assert!(is_kept(&tree(image.path())), "step {step}, seed {seed}, after a start");
        }
    }
}

/// A directory as a process leaves it that was killed while its second commit hung and its third had landed; and the third.
async fn gap() -> (TempDir, String) {
    let disk = Arc::new(InMemory::new());
    let store = Arc::new(FaultyStore::new(&disk, 1, 0.0));
    store.refuse("2.wal");
    // A commit for each batch.
    let options = EngineOptions { wal_commit_bytes_max: 1, ..options() };
    let engine = Engine::open(Store::new(store), options, Arc::new(SystemClock)).await.unwrap();
    let _one = engine.append(&events(), &batch("one", 40)).await.unwrap().wait().await.unwrap();
    let _two = engine.append(&events(), &batch("two", 40)).await.unwrap();
    let _three = engine.append(&events(), &batch("three", 40)).await.unwrap();
    let objects = Store::new(disk);
    let landed = async || (objects.list(&"wal".into()).await.unwrap().len() == 2).then_some(());
    until("the third commit has landed", landed).await;
    let directory = tempfile::tempdir().unwrap();
    copy(&objects, directory.path()).await;
    let behind = tree(directory.path()).into_keys().rfind(|key| key.starts_with("wal/")).unwrap();
    (directory, behind)
}

async fn copy(objects: &Store, to: &Path) {
    for meta in objects.list(&"".into()).await.unwrap() {
        let path = to.join(meta.location.as_ref());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, objects.get(&meta.location).await.unwrap().unwrap()).unwrap();
    }
}

async fn visible(engine: &Engine) -> Rows {
    rows(engine, &engine.snapshot(&events()).unwrap()).await
}
