//! A disk that is full: appends are refused, what was acknowledged is read, the log goes to files, and all goes on by itself.

use std::{
    io::{self, ErrorKind as IoKind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use hexflight_engine::{
    DiskFiles, Engine, EngineError, EngineOptions, ErrorKind, Files, OpenFile, Store, SystemClock,
};

use crate::support::{batch, events, expected, options, rows};

const RESERVE_BYTES: u64 = 1 << 20;
/// Appends that fill the disk, and tries until it is free again; each of the latter takes [`PAUSE`] at most.
const APPENDS_MAX: usize = 200;
const TRIES_MAX: usize = 200;
const PAUSE: Duration = Duration::from_millis(50);

/// A disk of a given size below one root.
#[derive(Debug)]
struct SmallDisk {
    root: PathBuf,
    capacity: AtomicU64,
}

impl SmallDisk {
    fn new(root: &Path, capacity: u64) -> Arc<Self> {
        Arc::new(Self { root: root.to_path_buf(), capacity: AtomicU64::new(capacity) })
    }

    fn resize(&self, capacity: u64) {
        self.capacity.store(capacity, Ordering::Relaxed);
    }

    fn require(&self, bytes: u64) -> io::Result<()> {
        let free = self.capacity.load(Ordering::Relaxed).saturating_sub(used(&self.root));
        if bytes <= free { Ok(()) } else { Err(IoKind::StorageFull.into()) }
    }
}

/// Bytes of all files. One that vanishes meanwhile takes none.
fn used(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let size = |path: &Path| {
        std::fs::metadata(path).map_or(0, |meta| if meta.is_dir() { used(path) } else { meta.len() })
    };
    entries.flatten().map(|entry| size(&entry.path())).sum()
}

impl Files for SmallDisk {
    fn create(&self, path: &Path) -> io::Result<OpenFile> {
        self.require(1)?;
        DiskFiles.create(path)
    }

    fn write(&self, file: &mut OpenFile, chunks: &[Bytes]) -> io::Result<()> {
        self.require(chunks.iter().map(|chunk| chunk.len() as u64).sum())?;
        DiskFiles.write(file, chunks)
    }

    fn sync_file(&self, _file: &OpenFile) -> io::Result<()> {
        Ok(())
    }

    fn open_dir(&self, path: &Path) -> io::Result<OpenFile> {
        DiskFiles.open_dir(path)
    }

    fn sync_dir(&self, _directory: &OpenFile) -> io::Result<()> {
        Ok(())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        DiskFiles.create_dir(path)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        DiskFiles.hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        DiskFiles.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        DiskFiles.remove(path)
    }
}

/// Nothing is flushed unless the disk is full.
fn settings(reserve_bytes: u64) -> EngineOptions {
    EngineOptions {
        generation_rows_max: 1 << 20,
        reserve_bytes: Some(reserve_bytes),
        compact: false,
        ..options()
    }
}

async fn start(disk: &Arc<SmallDisk>, reserve_bytes: u64) -> Arc<Engine> {
    let store = store(disk).await;
    Engine::open(store, settings(reserve_bytes), Arc::new(SystemClock)).await.unwrap()
}

/// Waits for the tasks of an engine that was dropped: they hold the lock.
async fn store(disk: &Arc<SmallDisk>) -> Store {
    let mut tries = 0;
    loop {
        let layer: Arc<dyn Files> = Arc::<SmallDisk>::clone(disk);
        match Store::over_files(&disk.root, layer).await {
            Err(EngineError::Locked { .. }) if tries < TRIES_MAX => tries += 1,
            store => return store.unwrap(),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A directory as a killed process leaves it, with rows in the log alone.
async fn lived_in(disk: &Arc<SmallDisk>, reserve_bytes: u64) -> Vec<String> {
    let engine = start(disk, reserve_bytes).await;
    let names: Vec<String> = (0..20).map(|n| format!("before-{n}")).collect();
    for name in &names {
        append(&engine, name).await.unwrap();
    }
    drop(engine);
    drop(store(disk).await);
    names
}

async fn append(engine: &Engine, name: &str) -> Result<(), EngineError> {
    engine.append(&events(), &batch(name, 500)).await?.wait().await.map(drop)
}

/// Appends until the disk is full; returns what was acknowledged, and the refusal.
async fn fill(engine: &Engine, prefix: &str) -> (Vec<String>, EngineError) {
    let mut acknowledged = vec![];
    loop {
        assert!(acknowledged.len() < APPENDS_MAX, "{APPENDS_MAX} batches do not fill the disk");
        let name = format!("{prefix}-{}", acknowledged.len());
        match append(engine, &name).await {
            Ok(()) => acknowledged.push(name),
            Err(refusal) => return (acknowledged, refusal),
        }
    }
}

async fn append_when_there_is_space(engine: &Engine, name: &str) {
    let mut tries = 0;
    while append(engine, name).await.is_err() {
        tries += 1;
        assert!(tries < TRIES_MAX, "the disk stays full: {:?}", engine.health());
        tokio::time::sleep(PAUSE).await;
    }
}

/// Every one of `names` is there, whole and once. A batch that was refused may be there, too.
async fn assert_holds(engine: &Engine, names: &[String]) {
    let found = rows(engine, &engine.snapshot(&events()).unwrap()).await;
    for (name, rows) in expected(names.iter().map(|name| (name.as_str(), 500))) {
        assert_eq!(found.get(&name), Some(&rows), "{name}");
    }
    assert!(found.values().all(|rows| rows.len() == 500), "a batch is torn or there twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_fills_the_disk_goes_to_files_and_appends_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let disk = SmallDisk::new(directory.path(), RESERVE_BYTES + (2 << 20));
    let engine = start(&disk, RESERVE_BYTES).await;
    let (mut acknowledged, refusal) = fill(&engine, "first").await;
    assert_eq!(refusal.kind(), ErrorKind::Unavailable, "{refusal}");
    assert!(refusal.to_string().contains("space"), "{refusal}");
    append_when_there_is_space(&engine, "after").await;
    acknowledged.push("after".to_owned());
    assert!(engine.snapshot(&events()).unwrap().version() > 0, "nothing was flushed");
    engine.health().unwrap();
    // It is no matter of once.
    acknowledged.extend(fill(&engine, "second").await.0);
    append_when_there_is_space(&engine, "again").await;
    acknowledged.push("again".to_owned());
    assert_holds(&engine, &acknowledged).await;
    drop(engine);
    let revived = start(&disk, RESERVE_BYTES).await;
    assert_holds(&revived, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_on_a_full_disk_reads_and_goes_on_once_there_is_space() {
    let directory = tempfile::tempdir().unwrap();
    let disk = SmallDisk::new(directory.path(), 64 << 20);
    let mut acknowledged = lived_in(&disk, 0).await;
    // Not a byte: neither for the probe, nor for a fence, nor for a stream.
    disk.resize(0);
    let reader = start(&disk, 0).await;
    assert_holds(&reader, &acknowledged).await;
    let refusal = append(&reader, "refused").await.unwrap_err();
    assert_eq!(refusal.kind(), ErrorKind::Unavailable, "{refusal}");
    assert!(reader.health().is_err());
    reader.flush().await.unwrap_err();
    assert_holds(&reader, &acknowledged).await;
    drop(reader);

    let reader = start(&disk, 0).await;
    disk.resize(64 << 20);
    append_when_there_is_space(&reader, "after").await;
    acknowledged.push("after".to_owned());
    reader.health().unwrap();
    reader.flush().await.unwrap();
    assert_holds(&reader, &acknowledged).await;
    drop(reader);
    let revived = start(&disk, 0).await;
    assert_holds(&revived, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_on_a_full_disk_may_fill_the_memory_of_queries() {
    let directory = tempfile::tempdir().unwrap();
    let disk = SmallDisk::new(directory.path(), 1 << 30);
    let roomy = start(&disk, 0).await;
    let names: Vec<String> = (0..8).map(|n| format!("before-{n}")).collect();
    for name in &names {
        roomy.append(&events(), &batch(name, 60_000)).await.unwrap().wait().await.unwrap();
    }
    let memory_limit_bytes = roomy.budget().used() * 3 / 2;
    drop(roomy);
    let store = store(&disk).await;
    disk.resize(0);
    let tight = EngineOptions { memory_limit_bytes, ..settings(0) };
    let reader = Engine::open(store, tight, Arc::new(SystemClock)).await.unwrap();
    let found = rows(&reader, &reader.snapshot(&events()).unwrap()).await;
    assert_eq!(found, expected(names.iter().map(|name| (name.as_str(), 60_000))));
    append(&reader, "refused").await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_on_a_full_disk_flushes_from_the_reserve() {
    let directory = tempfile::tempdir().unwrap();
    let disk = SmallDisk::new(directory.path(), 64 << 20);
    let mut acknowledged = lived_in(&disk, RESERVE_BYTES).await;
    disk.resize(used(directory.path()));
    let engine = start(&disk, RESERVE_BYTES).await;
    assert_holds(&engine, &acknowledged).await;
    append_when_there_is_space(&engine, "after").await;
    acknowledged.push("after".to_owned());
    assert_holds(&engine, &acknowledged).await;
    assert!(engine.snapshot(&events()).unwrap().version() > 0, "nothing was flushed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_flush_that_was_cut_off_has_left_does_not_keep_the_disk_full() {
    let directory = tempfile::tempdir().unwrap();
    let disk = SmallDisk::new(directory.path(), 64 << 20);
    let mut acknowledged = lived_in(&disk, 0).await;
    let day = directory.path().join("tables/events/2026-01-01");
    std::fs::create_dir_all(&day).unwrap();
    let (orphan, strange) =
        (day.join("00-01a2011b-8e8f-766a-a29c-f5708662fc7f.parquet"), day.join("mine.parquet"));
    std::fs::write(&orphan, vec![0; 1 << 20]).unwrap();
    std::fs::write(&strange, "x").unwrap();
    disk.resize(used(directory.path()));
    let engine = start(&disk, 0).await;
    append_when_there_is_space(&engine, "after").await;
    acknowledged.push("after".to_owned());
    assert!(!orphan.exists() && strange.exists());
    assert_holds(&engine, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_that_finds_no_space_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let disk = SmallDisk::new(directory.path(), 64 << 20);
    let engine = start(&disk, 0).await;
    for n in 0..10 {
        append(&engine, &format!("batch-{n}")).await.unwrap();
    }
    // Space for some of the files.
    disk.resize(used(directory.path()) + (12 << 10));
    let before = used(&directory.path().join("tables"));
    let error = engine.flush().await.unwrap_err();
    assert!(error.is_storage_full(), "{error}");
    assert_eq!(used(&directory.path().join("tables")), before);
    disk.resize(64 << 20);
    engine.flush().await.unwrap();
}
