//! Backups beside an engine that appends, flushes, merges and deletes; what is refused; and damage that a copy notices.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hexflight_engine::{Engine, EngineOptions, ErrorKind, Store, backup, check};

use crate::support::{batch, copy_directory, events, expected, open, options, rows};

/// Copies that are made, and rows of a batch: many files without a rollup, merged into some that have one.
const BACKUPS: usize = 5;
const BATCH_ROWS: i64 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_beside_a_busy_engine_holds_every_acknowledged_batch_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let busy = EngineOptions {
        generation_rows_max: 200,
        flush_interval: Duration::from_millis(20),
        // Merged files are deleted at once.
        vacuum_after: Duration::ZERO,
        ..options()
    };
    let engine = open(&data, busy).await;
    let (acknowledged, stop) = (Arc::new(Mutex::new(vec![])), Arc::new(AtomicBool::new(false)));
    let work =
        tokio::spawn(append_and_merge(Arc::clone(&engine), Arc::clone(&acknowledged), Arc::clone(&stop)));
    for n in 0..BACKUPS {
        let copy = folder.path().join(format!("copy-{n}"));
        while acknowledged.lock().unwrap().len() < 40 * (n + 1) {
            tokio::task::yield_now().await;
        }
        let before = acknowledged.lock().unwrap().clone();
        let summary = backup(&data, &copy).await.unwrap();
        assert_eq!(summary.findings, [], "copy {n}");
        let report = check(&copy).await.unwrap();
        assert_eq!(report.findings, [], "copy {n}");
        assert_eq!(report.summary.file_rows + report.summary.wal_rows, summary.rows, "copy {n}");
        assert_copy_holds(&copy, &before, summary.rows).await;
        std::fs::remove_dir_all(&copy).unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    work.await.unwrap();
    assert_eq!(check(&data).await.unwrap().findings, []);
    engine.shutdown().await.unwrap();
}

async fn append_and_merge(engine: Arc<Engine>, acknowledged: Arc<Mutex<Vec<String>>>, stop: Arc<AtomicBool>) {
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let name = format!("batch-{n}");
        engine.append(&events(), &batch(&name, BATCH_ROWS)).await.unwrap().wait().await.unwrap();
        acknowledged.lock().unwrap().push(name);
        if n % 25 == 24 {
            engine.compact().await.unwrap();
            engine.vacuum().await.unwrap();
        }
    }
}

async fn assert_copy_holds(copy: &Path, before: &[String], row_count: u64) {
    let restored = open(copy, options()).await;
    let found = rows(&restored, &restored.snapshot(&events()).unwrap()).await;
    for (name, rows) in expected(before.iter().map(|name| (name.as_str(), BATCH_ROWS))) {
        assert_eq!(found.get(&name), Some(&rows), "{name}");
    }
    // Later ones may be there, whole and once.
    assert!(
        found.values().all(|rows| rows.iter().copied().eq(0..BATCH_ROWS)),
        "a batch is torn or there twice"
    );
    assert_eq!(found.values().map(Vec::len).sum::<usize>() as u64, row_count);
    restored.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_backup_of_a_directory_at_rest_is_the_directory() {
    let folder = tempfile::tempdir().unwrap();
    let (data, copy) = (folder.path().join("data"), folder.path().join("deep/copy"));
    let engine = open(&data, options()).await;
    append(&engine, "flushed").await;
    engine.flush().await.unwrap();
    append(&engine, "in-the-log").await;
    drop(engine);
    let summary = backup(&data, &copy).await.unwrap();
    assert_eq!((summary.rows, summary.version, summary.findings.len()), (80, 1, 0));
    assert_copy_holds(&copy, &["flushed".to_owned(), "in-the-log".to_owned()], 80).await;
    // The original is as it was: nothing was fenced, and nothing made.
    let names = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
    assert_eq!((names(&data.join("wal")), names(&data.join("streams"))), (1, 1));
}

#[tokio::test]
async fn folders_that_cannot_be_a_backup_or_an_original_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    drop(open(&data, options()).await);
    let full = folder.path().join("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("mine"), "x").unwrap();
    for (from, to, said) in [
        (&data, &full, "not empty"),
        (&data, &data.join("copy"), "in it or around it"),
        (&data, &folder.path().to_path_buf(), "in it or around it"),
        (&full, &folder.path().join("copy"), "not a data directory"),
        (&folder.path().join("absent"), &folder.path().join("copy"), "no such folder"),
    ] {
        let error = backup(from, to).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
    assert!(!data.join("copy").exists() && !folder.path().join("copy").exists());
    assert_eq!(std::fs::read_dir(&full).unwrap().count(), 1);
}

#[tokio::test]
async fn an_unfinished_backup_is_opened_by_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (data, copy) = (folder.path().join("data"), folder.path().join("copy"));
    let engine = open(&data, options()).await;
    append(&engine, "a").await;
    engine.flush().await.unwrap();
    drop(engine);
    // A version that cannot be read ends the backup in the middle.
    let version = data.join("tables/events/_delta_log/00000000000000000001.json");
    std::fs::write(version, "{").unwrap();
    let error = backup(&data, &copy).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    for error in [
        Store::open_local(&copy).await.unwrap_err(),
        backup(&copy, &folder.path().join("second")).await.unwrap_err(),
        check(&copy).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("not finished"), "{error}");
    }
}

#[tokio::test]
async fn damage_is_copied_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let engine = open(&data, options()).await;
    append(&engine, "flushed").await;
    engine.flush().await.unwrap();
    for name in ["one", "two", "three"] {
        append(&engine, name).await;
    }
    drop(engine);
    let wal = files_below(&data.join("wal"));
    let table = files_below(&data.join("tables"));
    let parquet = table.iter().find(|path| path.extension().is_some_and(|end| end == "parquet")).unwrap();
    for (n, damaged) in [&wal[1], parquet].into_iter().enumerate() {
        for (kind, damage) in [("flip", flip as fn(&Path)), ("remove", remove)] {
            let torn = folder.path().join(format!("torn-{n}-{kind}"));
            copy_directory(&data, &torn);
            damage(&torn.join(damaged.strip_prefix(&data).unwrap()));
            let summary = backup(&torn, &folder.path().join(format!("copy-{n}-{kind}"))).await.unwrap();
            let named = damaged.strip_prefix(&data).unwrap().display().to_string();
            assert_eq!(summary.findings.len(), 1, "{kind} {named}: {:?}", summary.findings);
            assert_eq!(summary.findings[0].object, named, "{kind}");
        }
    }
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

fn remove(path: &Path) {
    std::fs::remove_file(path).unwrap();
}

async fn append(engine: &Engine, name: &str) {
    engine.append(&events(), &batch(name, BATCH_ROWS)).await.unwrap().wait().await.unwrap();
}

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = vec![];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}
