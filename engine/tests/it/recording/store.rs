//! Crash images of the store: whatever a power cut drops, what a put acknowledged is there, and nothing is torn.

use std::{
    collections::BTreeMap,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use hexflight_engine::{Files, PutOutcome, Store};
use object_store::{ObjectStoreExt, PutPayload, path::Path};
use tempfile::TempDir;

use super::{RecordingFiles, crash_state::Survivor};

const SEEDS: u64 = 20;
const OBJECTS: usize = 12;

/// An object and the step at which its put had returned.
type Acked = BTreeMap<Path, (Bytes, usize)>;

type Image = BTreeMap<PathBuf, Survivor>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_objects_survive_a_crash_after_any_step() {
    let data = TempDir::new().unwrap();
    let files = Arc::new(RecordingFiles::new(data.path()).unwrap());
    let acked = put_objects(data.path(), &files).await;

    let violations = check_images(&files, &acked, 0);

    assert_eq!(violations, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_check_fails_without_fsync() {
    let data = TempDir::new().unwrap();
    let files = Arc::new(RecordingFiles::without_fsync(data.path()).unwrap());
    let acked = put_objects(data.path(), &files).await;

    let violations = check_images(&files, &acked, 0);

    assert!(violations.iter().any(|violation| violation.contains("lost")), "no object was lost");
    assert!(violations.iter().any(|violation| violation.contains("torn")), "no object was torn");
}

#[tokio::test]
async fn a_store_opens_on_an_image_and_a_second_crash_loses_nothing() {
    let data = TempDir::new().unwrap();
    let files = Arc::new(RecordingFiles::new(data.path()).unwrap());
    let mut acked = put_objects(data.path(), &files).await;
    let image = TempDir::new().unwrap();
    files.crash_image(files.steps(), 2, image.path()).unwrap();

    let again = Arc::new(RecordingFiles::new(image.path()).unwrap());
    let first_step = again.steps();
    let store = Store::over_files(image.path(), Arc::<RecordingFiles>::clone(&again)).await.unwrap();
    let listed = store.list(&Path::default()).await.unwrap();

    assert!(listed.iter().map(|object| &object.location).eq(acked.keys()), "{listed:?}");
    acked.values_mut().for_each(|(_, acked_at)| *acked_at = first_step);
    assert_eq!(check_images(&again, &acked, first_step), Vec::<String>::new());
}

#[tokio::test]
async fn an_overwritten_object_is_the_old_one_or_the_new_one() {
    let data = TempDir::new().unwrap();
    let files = Arc::new(RecordingFiles::new(data.path()).unwrap());
    let store = Store::over_files(data.path(), Arc::<RecordingFiles>::clone(&files)).await.unwrap();
    let path = Path::from("t/_last_checkpoint");
    let mut acked_at = Vec::new();
    let versions: Vec<Bytes> = (0..5).map(|version| format!("version {version}").into()).collect();
    for version in &versions {
        store.object_store().put(&path, version.clone().into()).await.unwrap();
        acked_at.push(files.steps());
    }

    for step in 0..=files.steps() {
        let acked = acked_at.iter().filter(|at| **at <= step).count();
        for seed in seeds(step) {
            let image = files.crash_state(step).survivors(seed);
            let version = match image.get(FilePath::new(path.as_ref())) {
                Some(Survivor::File(bytes)) => {
                    versions.iter().position(|version| version == bytes).unwrap() + 1
                }
                _ => 0,
            };
            assert!(
                (acked..=acked + 1).contains(&version),
                "step {step} seed {seed}: {version}, acked {acked}"
            );
        }
    }
}

#[tokio::test]
async fn sync_listing_makes_durable_what_a_dead_process_left_readable() {
    let data = TempDir::new().unwrap();
    let files = Arc::new(RecordingFiles::new(data.path()).unwrap());
    let store = Store::over_files(data.path(), Arc::<RecordingFiles>::clone(&files)).await.unwrap();
    leave_readable(&files, &store);

    store.sync_listing(&Path::from("wal/one")).await.unwrap();

    assert!(oldest_image(&files).contains_key(FilePath::new("wal/one/0.wal")));
}

#[tokio::test]
async fn already_exists_makes_durable_what_it_found() {
    let data = TempDir::new().unwrap();
    let files = Arc::new(RecordingFiles::new(data.path()).unwrap());
    let store = Store::over_files(data.path(), Arc::<RecordingFiles>::clone(&files)).await.unwrap();
    leave_readable(&files, &store);

    let (outcome, _) = put(&store, &files, &Path::from("wal/one/0.wal"), "other".into()).await;

    assert_eq!(outcome, PutOutcome::AlreadyExists);
    let expected = Survivor::File("event".into());
    assert_eq!(oldest_image(&files).get(FilePath::new("wal/one/0.wal")), Some(&expected));
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

/// Leaves `wal/one/0.wal` as a process does that dies before it fsyncs a directory.
fn leave_readable(files: &RecordingFiles, store: &Store) {
    let directory = store.root().unwrap().join("wal");
    files.create_dir(&directory).unwrap();
    files.create_dir(&directory.join("one")).unwrap();
    let mut file = files.create(&directory.join("one/0.wal")).unwrap();
    files.write(&mut file, &[Bytes::from("event")]).unwrap();
    files.sync_file(&file).unwrap();
    assert!(!oldest_image(files).contains_key(FilePath::new("wal")));
}

/// What is left when a crash drops everything that it may.
fn oldest_image(files: &RecordingFiles) -> Image {
    files.crash_state(files.steps()).survivors(0)
}

/// Puts concurrently, several to a directory, each key twice at once: what either put says is there must stay.
async fn put_objects(root: &FilePath, files: &Arc<RecordingFiles>) -> Acked {
    let store = Store::over_files(root, Arc::<RecordingFiles>::clone(files)).await.unwrap();
    let puts = (0..OBJECTS).map(|index| {
        let (store, files) = (store.clone(), Arc::clone(files));
        async move {
            let path = Path::from(format!("wal/stream-{}/{index:020}.wal", index / 5));
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

fn check_images(files: &RecordingFiles, acked: &Acked, first_step: usize) -> Vec<String> {
    let mut violations = Vec::new();
    for step in first_step..=files.steps() {
        let state = files.crash_state(step);
        for seed in seeds(step) {
            let found = check_image(&state.survivors(seed), acked, step);
            violations.extend(found.into_iter().map(|text| format!("step {step} seed {seed}: {text}")));
        }
    }
    violations
}

/// Both extremes, and others that differ from step to step.
fn seeds(step: usize) -> impl Iterator<Item = u64> {
    [0, 1].into_iter().chain((2..SEEDS).map(move |seed| seed + SEEDS * step as u64))
}

fn check_image(image: &Image, acked: &Acked, step: usize) -> Vec<String> {
    let mut violations = Vec::new();
    for (path, (bytes, acked_at)) in acked {
        match image.get(FilePath::new(path.as_ref())) {
            Some(Survivor::File(found)) if found != bytes => violations.push(format!("{path} torn")),
            None if *acked_at <= step => violations.push(format!("{path} lost")),
            _ => {}
        }
    }
    violations
}
