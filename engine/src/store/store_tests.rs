//! The store's promises one by one: the lock, the probe, the sweep, put-if-absent, what lists show.

use std::{path::Path as FilePath, sync::Arc};

use bytes::Bytes;
use futures::future::join_all;
use object_store::{ObjectStoreExt, PutPayload, path::Path};
use tempfile::TempDir;

use super::{PutOutcome, Store};
use crate::{
    error::{EngineError, ErrorKind},
    tasks,
};

#[tokio::test]
async fn what_was_put_is_read_back_whole() {
    let (_data, store) = new_store().await;
    let path = Path::from("wal/one/0.wal");
    let payload = PutPayload::from_iter([Bytes::from("a"), Bytes::new(), Bytes::from("bc")]);

    assert_eq!(store.put_if_absent(&path, payload).await.unwrap(), PutOutcome::Created);

    assert_eq!(store.get(&path).await.unwrap().unwrap(), "abc");
    assert_eq!(store.head(&path).await.unwrap().unwrap().size, 3);
    assert_eq!(store.get(&Path::from("wal/one/1.wal")).await.unwrap(), None);
    assert_eq!(store.head(&Path::from("wal/one/1.wal")).await.unwrap(), None);
}

#[tokio::test]
async fn a_payload_of_many_chunks_is_written_in_order() {
    let (_data, store) = new_store().await;
    let chunks: Vec<Bytes> = (0..5_000).map(|index| Bytes::from(format!("{index},"))).collect();
    let expected = chunks.concat();
    let path = Path::from("many");

    store.put_if_absent(&path, PutPayload::from_iter(chunks)).await.unwrap();

    assert_eq!(store.get(&path).await.unwrap().unwrap(), expected);
}

#[tokio::test]
async fn already_exists_leaves_the_bytes_untouched() {
    let (data, store) = new_store().await;
    let path = Path::from("a/key");
    store.put_if_absent(&path, PutPayload::from_static(b"first")).await.unwrap();

    let second = store.put_if_absent(&path, PutPayload::from_static(b"second")).await.unwrap();

    assert_eq!(second, PutOutcome::AlreadyExists);
    assert_eq!(store.get(&path).await.unwrap().unwrap(), "first");
    assert_eq!(staged(data.path()), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_puts_of_one_key_exactly_one_creates() {
    let (_data, store) = new_store().await;
    for round in 0..20 {
        let path = Path::from(format!("race/{round}"));
        let puts = (0..8).map(|index| {
            let (store, path) = (store.clone(), path.clone());
            tasks::spawn(async move { store.put_if_absent(&path, format!("{index}").into()).await.unwrap() })
        });
        let outcomes = join_all(puts).await;

        let winners: Vec<usize> =
            (0..8).filter(|i| outcomes[*i].as_ref().unwrap() == &PutOutcome::Created).collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(store.get(&path).await.unwrap().unwrap(), format!("{}", winners[0]));
    }
}

#[tokio::test]
async fn list_is_sorted_and_shows_neither_lock_nor_staging() {
    let (data, store) = new_store().await;
    for key in ["t/b", "t/a/2", "t/a/1"] {
        store.put_if_absent(&Path::from(key), PutPayload::from_static(b"x")).await.unwrap();
    }
    std::fs::write(data.path().join(".staging/put#99"), "half").unwrap();

    assert_eq!(keys(&store, "").await, ["t/a/1", "t/a/2", "t/b"]);
    assert_eq!(keys(&store, "t/a").await, ["t/a/1", "t/a/2"]);
    assert_eq!(keys(&store, "none").await, Vec::<String>::new());
    let top = store.object_store().list_with_delimiter(None).await.unwrap();
    assert!(top.objects.is_empty(), "{top:?}");
    assert!(!top.common_prefixes.contains(&Path::from(".staging")), "{top:?}");
}

#[tokio::test]
async fn delete_removes_and_forgives_a_missing_key() {
    let (_data, store) = new_store().await;
    let path = Path::from("a/b");
    store.put_if_absent(&path, PutPayload::from_static(b"x")).await.unwrap();

    store.delete(&path).await.unwrap();
    store.delete(&path).await.unwrap();

    assert_eq!(store.get(&path).await.unwrap(), None);
    let again = store.put_if_absent(&path, PutPayload::from_static(b"y")).await.unwrap();
    assert_eq!(again, PutOutcome::Created);
}

#[tokio::test]
async fn overwrite_replaces_and_what_cannot_be_durable_is_refused() {
    let (data, store) = new_store().await;
    let (objects, path) = (store.object_store(), Path::from("t/_last_checkpoint"));
    objects.put(&path, PutPayload::from_static(b"1")).await.unwrap();
    objects.put(&path, PutPayload::from_static(b"2")).await.unwrap();

    assert_eq!(store.get(&path).await.unwrap().unwrap(), "2");
    assert_eq!(staged(data.path()), 0);
    let refused = [
        objects.put_multipart(&path).await.err(),
        objects.copy(&path, &Path::from("c")).await.err(),
        objects.rename(&path, &Path::from("c")).await.err(),
        objects.put(&Path::from("LOCK"), PutPayload::from_static(b"x")).await.err(),
        objects.delete(&Path::from(".staging/put")).await.err(),
    ];
    for error in refused {
        assert!(matches!(error, Some(object_store::Error::NotSupported { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn a_directory_removed_from_outside_is_made_again() {
    let (data, store) = new_store().await;
    store.put_if_absent(&Path::from("d/e/1"), PutPayload::from_static(b"x")).await.unwrap();
    std::fs::remove_dir_all(data.path().join("d")).unwrap();

    store.put_if_absent(&Path::from("d/e/2"), PutPayload::from_static(b"x")).await.unwrap_err();
    let retried = store.put_if_absent(&Path::from("d/e/2"), PutPayload::from_static(b"x")).await.unwrap();

    assert_eq!(retried, PutOutcome::Created);
}

#[tokio::test]
async fn a_second_open_is_refused_and_names_the_lock() {
    let (data, store) = new_store().await;

    let error = Store::open_local(data.path()).await.unwrap_err();

    let lock = data.path().canonicalize().unwrap().join("LOCK");
    assert!(matches!(&error, EngineError::Locked { path } if *path == lock.display().to_string()), "{error}");
    let objects = store.object_store();
    drop(store);
    Store::open_local(data.path()).await.unwrap_err();
    drop(objects);
    Store::open_local(data.path()).await.unwrap();
}

#[tokio::test]
async fn open_sweeps_what_a_crash_left_staged_and_nothing_else() {
    let data = TempDir::new().unwrap();
    let probe = "_probe/933bea62-a63c-48ff-945e-99a825630d0e";
    let left = [".staging/put#7", probe, "import-scratch/.tmpAbC123", "query-spill/datafusion-x1/.tmpDeF456"];
    let strange = [
        ".staging/notes.txt",
        "_probe/notes.txt",
        "import-scratch/notes.txt",
        "query-spill/notes.txt",
        "wal/left",
    ];
    for name in left.iter().chain(&strange) {
        let path = data.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
    }

    let _store = Store::open_local(data.path()).await.unwrap();

    assert!(left.iter().all(|name| !data.path().join(name).exists()));
    assert!(strange.iter().all(|name| data.path().join(name).exists()));
    assert!(!data.path().join("query-spill/datafusion-x1").exists());
}

#[tokio::test]
async fn a_listing_passes_over_names_that_cannot_be_keys() {
    use std::os::unix::{ffi::OsStrExt, fs::symlink};
    let (data, store) = new_store().await;
    store.put_if_absent(&Path::from("t/a"), PutPayload::from_static(b"x")).await.unwrap();
    let folder = data.path().join("t");
    for name in [&b"caf\xe9"[..], b"a\nb", b"copy#2", b"sp ace%", "Ω".as_bytes()] {
        std::fs::write(folder.join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
    }
    symlink(&folder, folder.join("loop")).unwrap();
    symlink("nowhere", folder.join("dangling")).unwrap();

    assert_eq!(keys(&store, "t").await, ["t/a", "t/sp ace%", "t/Ω"]);
}

#[tokio::test]
async fn a_lock_that_is_a_directory_is_named() {
    let data = TempDir::new().unwrap();
    std::fs::create_dir(data.path().join("LOCK")).unwrap();

    let text = Store::open_local(data.path()).await.unwrap_err().to_string();

    assert!(text.contains("/LOCK: this is a directory") && text.contains("move it away"), "{text}");
    std::fs::remove_dir(data.path().join("LOCK")).unwrap();
    std::fs::write(data.path().join("LOCK"), "anything").unwrap();
    Store::open_local(data.path()).await.unwrap();
}

#[tokio::test]
async fn a_store_to_read_is_locked_and_leaves_everything() {
    let data = TempDir::new().unwrap();
    std::fs::create_dir(data.path().join(".staging")).unwrap();
    std::fs::write(data.path().join(".staging/put#7"), "x").unwrap();

    let store = Store::open_local_to_read(data.path()).await.unwrap();

    assert_eq!(Store::open_local(data.path()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    drop(store);
    assert_eq!(staged(data.path()), 1);
    Store::open_local_to_read(&data.path().join("none")).await.unwrap_err();
    assert!(!data.path().join("none").exists());
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_says_what_to_do() {
    let data = TempDir::new().unwrap();
    let file = data.path().join("file");
    std::fs::write(&file, "x").unwrap();

    let error = Store::open_local(&file.join("data")).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = error.to_string();
    assert!(text.contains("file/data") && text.contains("--data-dir") && !text.contains('\n'), "{text}");
}

#[tokio::test]
async fn open_creates_missing_directories_above_the_root() {
    let data = TempDir::new().unwrap();
    let root = data.path().join("a/b/c");

    let store = Store::open_local(&root).await.unwrap();

    assert_eq!(store.root().unwrap(), root.canonicalize().unwrap());
}

#[tokio::test]
async fn the_probe_accepts_another_backend_and_leaves_nothing() {
    let store = Store::new(Arc::new(object_store::memory::InMemory::new()));

    store.probe().await.unwrap();

    assert_eq!(keys(&store, "").await, Vec::<String>::new());
    store.sync_listing(&Path::from("wal")).await.unwrap();
    assert_eq!(store.root(), None);
}

#[tokio::test]
async fn a_range_that_ends_behind_the_object_is_shorter() {
    let (_data, local) = new_store().await;
    let (whole, empty) = (Path::from("whole"), Path::from("empty"));
    for store in [local, Store::new(Arc::new(object_store::memory::InMemory::new()))] {
        store.put_if_absent(&whole, PutPayload::from_static(b"0123456789")).await.unwrap();
        store.put_if_absent(&empty, PutPayload::new()).await.unwrap();
        for (path, range, expected) in [
            (&whole, 2..5, "234"),
            (&whole, 4..20, "456789"),
            (&whole, 10..12, ""),
            (&whole, 50..60, ""),
            (&empty, 0..5, ""),
        ] {
            assert_eq!(store.get_range(path, range.clone()).await.unwrap().unwrap(), expected, "{range:?}");
        }
        assert_eq!(store.get_range(&Path::from("nothing"), 0..5).await.unwrap(), None);
    }
}

async fn new_store() -> (TempDir, Store) {
    let data = TempDir::new().unwrap();
    let store = Store::open_local(data.path()).await.unwrap();
    (data, store)
}

async fn keys(store: &Store, prefix: &str) -> Vec<String> {
    let objects = store.list(&Path::from(prefix)).await.unwrap();
    objects.into_iter().map(|object| object.location.to_string()).collect()
}

fn staged(root: &FilePath) -> usize {
    std::fs::read_dir(root.join(".staging")).unwrap().count()
}
