//! Crash images of the store: whatever a power cut drops, what a put acknowledged is there, and nothing is torn.

use std::{collections::BTreeMap, path::Path as FilePath, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt, stream};
use object_store::{ObjectStoreExt, PutPayload, path::Path};
use tempfile::TempDir;

use super::{Files, PutOutcome, RecordingFiles, Store};

const SEEDS: std::ops::Range<u64> = 0..6;
const OBJECTS: usize = 24;

/// An object and the step at which its put had returned.
type Acked = BTreeMap<Path, (Bytes, usize)>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_objects_survive_a_crash_after_any_step() {
    let data = TempDir::new().unwrap();
    let files = Arc::new(RecordingFiles::new(data.path()).unwrap());
    let acked = put_objects(data.path(), &files).await;

    let violations = check_all_images(&files, &acked).await;

    assert_eq!(violations, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_check_fails_without_fsync() {
    let data = TempDir::new().unwrap();
    let files = Arc::new(RecordingFiles::without_fsync(data.path()).unwrap());
    let acked = put_objects(data.path(), &files).await;

    let violations = check_all_images(&files, &acked).await;

    assert!(violations.iter().any(|violation| violation.contains("lost")), "no object was lost");
    assert!(violations.iter().any(|violation| violation.contains("torn")), "no object was torn");
}

#[tokio::test]
async fn an_image_is_a_data_directory_like_any_other() {
    let data = TempDir::new().unwrap();
    let files = Arc::new(RecordingFiles::new(data.path()).unwrap());
    let acked = put_objects(data.path(), &files).await;
    let image = TempDir::new().unwrap();
    files.crash_image(files.steps(), 2, image.path()).unwrap();

    let again = Arc::new(RecordingFiles::new(image.path()).unwrap());
    let first_step = again.steps();
    drop(Store::over_files(image.path(), Arc::<RecordingFiles>::clone(&again)).await.unwrap());
    let acked = acked.into_iter().map(|(path, (bytes, _))| (path, (bytes, first_step))).collect();

    assert_eq!(check_images(&again, &acked, first_step).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_overwritten_object_is_the_old_one_or_the_new_one() {
    let data = TempDir::new().unwrap();
    let files = Arc::new(RecordingFiles::new(data.path()).unwrap());
    let store = Store::over_files(data.path(), Arc::<RecordingFiles>::clone(&files)).await.unwrap();
    let path = Path::from("t/_last_checkpoint");
    let mut acked_at = Vec::new();
    for version in 0..5u8 {
        store.object_store().put(&path, Bytes::from(vec![b'a' + version; 9]).into()).await.unwrap();
        acked_at.push(files.steps());
    }

    for step in 0..=files.steps() {
        for seed in 0..20 {
            let image = TempDir::new().unwrap();
            files.crash_image(step, seed, image.path()).unwrap();
            let found = std::fs::read(image.path().join("t/_last_checkpoint")).unwrap_or_default();
            let acked = acked_at.iter().filter(|at| **at <= step).count();
            let version = found.first().map_or(0, |byte| usize::from(byte - b'a') + 1);
            assert!(found.len() == if version == 0 { 0 } else { 9 }, "step {step} seed {seed}: torn");
            assert!((acked..=acked + 1).contains(&version), "step {step} seed {seed}: {version}, acked {acked}");
        }
    }
}

#[tokio::test]
async fn sync_listing_makes_durable_what_a_dead_process_left_readable() {
    let data = TempDir::new().unwrap();
    let files = Arc::new(RecordingFiles::new(data.path()).unwrap());
    let store = Store::over_files(data.path(), Arc::<RecordingFiles>::clone(&files)).await.unwrap();
    let directory = store.root().unwrap().join("wal");
    files.create_dir(&directory).unwrap();
    files.create_dir(&directory.join("one")).unwrap();
    let mut file = files.create(&directory.join("one/0.wal")).unwrap();
    files.write(&mut file, &[Bytes::from("event")]).unwrap();
    files.sync_file(&file).unwrap();

    store.sync_listing(&Path::from("wal/one")).await.unwrap();

    let image = TempDir::new().unwrap();
    files.crash_image(files.steps(), 0, image.path()).unwrap();
    assert_eq!(std::fs::read(image.path().join("wal/one/0.wal")).unwrap(), b"event");
}

#[tokio::test]
async fn a_put_into_a_known_directory_costs_two_fsyncs() {
    let data = TempDir::new().unwrap();
    let files = Arc::new(RecordingFiles::new(data.path()).unwrap());
    let store = Store::over_files(data.path(), Arc::<RecordingFiles>::clone(&files)).await.unwrap();
    put(&store, &files, &Path::from("wal/0"), "a".into()).await;
    let before = files.steps();

    put(&store, &files, &Path::from("wal/1"), "b".into()).await;

    // Create, write, fsync; link, remove, fsync of the directory.
    assert_eq!(files.steps() - before, 6);
}

/// Puts concurrently, several to a directory, each key twice at once: what either put says is there must stay.
async fn put_objects(root: &FilePath, files: &Arc<RecordingFiles>) -> Acked {
    let store = Store::over_files(root, Arc::<RecordingFiles>::clone(files)).await.unwrap();
    let puts = (0..OBJECTS).map(|index| {
        let (store, files) = (store.clone(), Arc::clone(files));
        async move {
            let path = Path::from(format!("wal/stream-{}/{index:020}.wal", index / 8));
            let chunks = [Bytes::from(format!("header {index}")), Bytes::from(vec![7; index * 50])];
            let payload = PutPayload::from_iter(chunks.clone());
            let puts = tokio::join!(
                put(&store, &files, &path, payload.clone()),
                put(&store, &files, &path, payload)
            );
            assert_ne!(puts.0.0, puts.1.0, "one put creates, the other finds");
            (path, (Bytes::from(chunks.concat()), puts.0.1.min(puts.1.1)))
        }
    });
    stream::iter(puts).buffer_unordered(4).collect().await
}

async fn put(store: &Store, files: &RecordingFiles, path: &Path, payload: PutPayload) -> (PutOutcome, usize) {
    let outcome = store.put_if_absent(path, payload).await.unwrap();
    (outcome, files.steps())
}

async fn check_all_images(files: &RecordingFiles, acked: &Acked) -> Vec<String> {
    check_images(files, acked, 0).await
}

async fn check_images(files: &RecordingFiles, acked: &Acked, first_step: usize) -> Vec<String> {
    let mut violations = Vec::new();
    for step in first_step..=files.steps() {
        for seed in SEEDS.map(|seed| if seed < 2 { seed } else { seed + 100 * step as u64 }) {
            let image = TempDir::new().unwrap();
            files.crash_image(step, seed, image.path()).unwrap();
            let found = check_image(image.path(), acked, step).await;
            violations.extend(found.into_iter().map(|text| format!("step {step} seed {seed}: {text}")));
        }
    }
    violations
}

async fn check_image(image: &FilePath, acked: &Acked, step: usize) -> Vec<String> {
    let unsynced = Arc::new(RecordingFiles::without_fsync(image).unwrap());
    let store = Store::over_files(image, unsynced).await.unwrap();
    let mut violations = Vec::new();
    for (path, (bytes, acked_at)) in acked {
        match store.get(path).await.unwrap() {
            None if *acked_at <= step => violations.push(format!("{path} lost")),
            Some(found) if found != bytes => violations.push(format!("{path} torn")),
            _ => {}
        }
    }
    let listed = store.list(&Path::default()).await.unwrap();
    let strangers = listed.iter().filter(|object| !acked.contains_key(&object.location));
    violations.extend(strangers.map(|object| format!("{} listed", object.location)));
    violations
}
