//! Crash images: at every step of a run the machine may lose any subset of the effects that were not fsynced. Whatever is left,
//! an engine opened on it has every acknowledged batch, whole and once. Without fsync the same check must fail.

use std::{path::Path, sync::Arc};

use hexflight_engine::{Engine, Store, SystemClock};

use crate::{
    recording::RecordingFiles,
    support::{Rows, batch, events, options, rows},
};

const BATCH_ROWS: i64 = 30;
/// 0 loses everything that was not fsynced, the others some of it.
const SEEDS: [u64; 3] = [0, 2, 3];
/// Images opened per run; the steps are spread evenly.
const IMAGES_MAX: usize = 120;

/// A batch and the step at which its ack arrived.
struct Acknowledged {
    name: String,
    step: usize,
}

#[tokio::test]
async fn every_crash_image_holds_all_acknowledged_batches() {
    let directory = tempfile::tempdir().unwrap();
    let files = Arc::new(RecordingFiles::new(directory.path()).unwrap());
    let acknowledged = run(directory.path(), &files).await;
    let broken = broken_images(&files, &acknowledged).await;
    assert!(broken.is_empty(), "{broken:?}");
}

#[tokio::test]
async fn the_same_check_fails_on_a_store_that_never_fsyncs() {
    let directory = tempfile::tempdir().unwrap();
    let files = Arc::new(RecordingFiles::without_fsync(directory.path()).unwrap());
    let acknowledged = run(directory.path(), &files).await;
    assert!(!broken_images(&files, &acknowledged).await.is_empty());
}

/// A life: appends, flushes, a start on what was left, more of both.
async fn run(directory: &Path, files: &Arc<RecordingFiles>) -> Vec<Acknowledged> {
    let mut acknowledged = vec![];
    for life in 0..2 {
        let layer: Arc<dyn hexflight_engine::Files> = Arc::<RecordingFiles>::clone(files);
        let store = Store::over_files(directory, layer).await.unwrap();
        let engine = Engine::open(store, options(), Arc::new(SystemClock)).await.unwrap();
        for n in 0..9 {
            let name = format!("life-{life}-batch-{n}");
            append(&engine, name, files, &mut acknowledged).await;
            if n % 3 == 2 {
                engine.flush().await.unwrap();
            }
        }
        append(&engine, format!("life-{life}-tail"), files, &mut acknowledged).await;
        engine.shutdown().await.unwrap();
    }
    acknowledged
}

async fn append(engine: &Engine, name: String, files: &RecordingFiles, acknowledged: &mut Vec<Acknowledged>) {
    engine.append(&events(), &batch(&name, BATCH_ROWS)).await.unwrap().wait().await.unwrap();
    acknowledged.push(Acknowledged { name, step: files.steps() });
}

async fn broken_images(files: &RecordingFiles, acknowledged: &[Acknowledged]) -> Vec<String> {
    let stride = (files.steps() * SEEDS.len() / IMAGES_MAX).max(1);
    let mut broken = vec![];
    for step in (0..=files.steps()).step_by(stride) {
        for seed in SEEDS {
            let image = tempfile::tempdir().unwrap();
            files.crash_image(step, seed, image.path()).unwrap();
            if let Some(detail) = fault(image.path(), step, acknowledged).await {
                broken.push(format!("step {step}, seed {seed}: {detail}"));
            }
        }
    }
    broken
}

/// What is wrong with an image, if anything is.
async fn fault(image: &Path, step: usize, acknowledged: &[Acknowledged]) -> Option<String> {
    let store = Store::open_local(image).await.unwrap();
    let engine = match Engine::open(store, options(), Arc::new(SystemClock)).await {
        Ok(engine) => engine,
        Err(error) => return Some(format!("does not open: {error}")),
    };
    let found = rows(&engine, &engine.snapshot(&events()).unwrap()).await;
    let fault = missing(&found, step, acknowledged).or_else(|| torn(&found));
    engine.flush().await.unwrap();
    let flushed = rows(&engine, &engine.snapshot(&events()).unwrap()).await;
    fault.or_else(|| (flushed != found).then(|| String::from("flushing changed the rows")))
}

fn missing(found: &Rows, step: usize, acknowledged: &[Acknowledged]) -> Option<String> {
    let due = acknowledged.iter().filter(|batch| batch.step <= step);
    due.map(|batch| &batch.name).find(|name| !found.contains_key(*name)).map(|name| format!("{name} is gone"))
}

/// A batch is there whole and once, or not at all.
fn torn(found: &Rows) -> Option<String> {
    let whole: Vec<i64> = (0..BATCH_ROWS).collect();
    found.iter().find(|(_, rows)| **rows != whole).map(|(name, rows)| format!("{name} has rows {rows:?}"))
}
