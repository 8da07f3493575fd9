//! The store on a disk that is full, breaks, or overwrites: an error, a stop, or a refusal, and nothing left behind.

use std::{
    io::{self, ErrorKind},
    path::Path as FilePath,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use object_store::{PutPayload, path::Path};
use tempfile::TempDir;

use super::{DiskFiles, Files, OpenFile, PutOutcome, Store};
use crate::error::ErrorKind as Kind;

#[tokio::test]
async fn the_probe_refuses_a_store_that_overwrites() {
    let data = TempDir::new().unwrap();
    let files = FaultyFiles { overwrites: true, ..FaultyFiles::default() };

    let error = Store::over_files(data.path(), Arc::new(files)).await.unwrap_err();

    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("was not refused"), "{error}");
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_leaves_nothing() {
    let (data, store, files) = faulty_store().await;
    *files.write_error.lock().unwrap() = Some(ErrorKind::StorageFull);

    let error = store.put_if_absent(&Path::from("wal/1"), PutPayload::from_static(b"x")).await.unwrap_err();

    assert_eq!(error.kind(), Kind::Unavailable);
    let text = error.to_string();
    assert!(text.starts_with("put wal/1: ") && text.contains("free some disk space"), "{text}");
    assert_eq!(files.stops.load(Ordering::Relaxed), 0);
    assert_eq!(staged(data.path()), 0);
    *files.write_error.lock().unwrap() = None;
    let retried = store.put_if_absent(&Path::from("wal/1"), PutPayload::from_static(b"x")).await.unwrap();
    assert_eq!(retried, PutOutcome::Created);
}

#[tokio::test]
async fn a_failed_fsync_of_a_file_stops_the_process() {
    let (_data, store, files) = faulty_store().await;
    *files.file_sync_error.lock().unwrap() = Some(ErrorKind::Other);

    let path = Path::from("wal/1");
    store.put_if_absent(&path, PutPayload::from_static(b"x")).await.unwrap_err();

    assert_eq!(files.stops.load(Ordering::Relaxed), 1);
    assert_eq!(store.get(&path).await.unwrap(), None);
}

#[tokio::test]
async fn a_failed_fsync_of_a_directory_stops_the_process() {
    let (_data, store, files) = faulty_store().await;
    *files.directory_sync_error.lock().unwrap() = Some(ErrorKind::Other);

    store.put_if_absent(&Path::from("1"), PutPayload::from_static(b"x")).await.unwrap_err();
    store.sync_listing(&Path::default()).await.unwrap_err();

    assert_eq!(files.stops.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_directory_counts_as_durable_only_after_its_fsync() {
    let (_data, store, files) = faulty_store().await;
    *files.directory_sync_error.lock().unwrap() = Some(ErrorKind::Other);
    store.put_if_absent(&Path::from("wal/1"), PutPayload::from_static(b"x")).await.unwrap_err();
    *files.directory_sync_error.lock().unwrap() = None;
    let before = files.directory_syncs.load(Ordering::Relaxed);

    store.put_if_absent(&Path::from("wal/1"), PutPayload::from_static(b"x")).await.unwrap();

    // The root for the name `wal`, then `wal` for the name `1`.
    assert_eq!(files.directory_syncs.load(Ordering::Relaxed) - before, 2);
}

#[tokio::test]
async fn sync_listing_forgives_a_missing_directory() {
    let (_data, store, files) = faulty_store().await;

    store.sync_listing(&Path::from("wal/none")).await.unwrap();

    assert!(!store.root().unwrap().join("wal").exists());
    assert_eq!(files.stops.load(Ordering::Relaxed), 0);
}

/// The disk, with faults that can be switched on.
#[derive(Debug, Default)]
struct FaultyFiles {
    overwrites: bool,
    write_error: Mutex<Option<ErrorKind>>,
    file_sync_error: Mutex<Option<ErrorKind>>,
    directory_sync_error: Mutex<Option<ErrorKind>>,
    directory_syncs: AtomicUsize,
    stops: AtomicUsize,
}

fn fail(fault: &Mutex<Option<ErrorKind>>) -> io::Result<()> {
    fault.lock().unwrap().map_or(Ok(()), |kind| Err(kind.into()))
}

impl Files for FaultyFiles {
    fn create(&self, path: &FilePath) -> io::Result<OpenFile> {
        DiskFiles.create(path)
    }

    fn write(&self, file: &mut OpenFile, chunks: &[Bytes]) -> io::Result<()> {
        DiskFiles.write(file, chunks)?;
        fail(&self.write_error)
    }

    fn sync_file(&self, file: &OpenFile) -> io::Result<()> {
        fail(&self.file_sync_error)?;
        DiskFiles.sync_file(file)
    }

    fn open_dir(&self, path: &FilePath) -> io::Result<OpenFile> {
        DiskFiles.open_dir(path)
    }

    fn sync_dir(&self, directory: &OpenFile) -> io::Result<()> {
        fail(&self.directory_sync_error)?;
        self.directory_syncs.fetch_add(1, Ordering::Relaxed);
        DiskFiles.sync_dir(directory)
    }

    fn create_dir(&self, path: &FilePath) -> io::Result<()> {
        DiskFiles.create_dir(path)
    }

    fn hard_link(&self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        if self.overwrites {
            std::fs::copy(from, to)?;
            return Ok(());
        }
        DiskFiles.hard_link(from, to)
    }

    fn rename(&self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        DiskFiles.rename(from, to)
    }

    fn remove(&self, path: &FilePath) -> io::Result<()> {
        DiskFiles.remove(path)
    }

    fn stop_after_failed_sync(&self, _path: &FilePath, _error: &io::Error) {
        self.stops.fetch_add(1, Ordering::Relaxed);
    }
}

async fn faulty_store() -> (TempDir, Store, Arc<FaultyFiles>) {
    let data = TempDir::new().unwrap();
    let files = Arc::new(FaultyFiles::default());
    let store = Store::over_files(data.path(), Arc::<FaultyFiles>::clone(&files)).await.unwrap();
    (data, store, files)
}

fn staged(root: &FilePath) -> usize {
    std::fs::read_dir(root.join(".staging")).unwrap().count()
}
