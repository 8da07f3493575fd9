//! Several objects gone at once, as a wrong restore or a copy of a running directory leaves them.

use std::{fs, path::Path, sync::Arc};

use hexflight_engine::{Engine, ErrorKind, Store, SystemClock};
use tempfile::TempDir;

use super::image::{Image, tree};
use crate::support::{batch, copy_directory, events, open, options, rows};

#[tokio::test]
async fn a_lost_registry_entry_hides_nothing() {
    let image = Image::make().await;
    let directory = image.copy();
    fs::remove_dir_all(directory.path().join("streams")).unwrap();
    let engine = open(directory.path(), options()).await;
    assert_eq!(rows(&engine, &engine.snapshot(&events()).unwrap()).await, image.rows);
    let findings = engine.findings();
    assert!(findings.len() == 1 && findings[0].object.starts_with("streams/"), "{findings:?}");
    engine.shutdown().await.unwrap();
    drop(engine);
    let again = open(directory.path(), options()).await;
    assert_eq!(again.findings(), vec![]);
    assert_eq!(rows(&again, &again.snapshot(&events()).unwrap()).await, image.rows);
}

#[tokio::test]
async fn a_log_without_its_newest_versions_is_refused() {
    for with_marks in [true, false] {
        let directory = Image::make().await.copy();
        let log = directory.path().join("tables/events/_delta_log");
        fs::remove_file(log.join("00000000000000000002.json")).unwrap();
        if !with_marks {
            // As if an earlier build had written it: the gap in the WAL tells.
            fs::remove_dir_all(directory.path().join("tables/events/_marks")).unwrap();
        }
        refused(
            &directory,
            if with_marks { "/00000000000000000002.json" } else { "/00000000000000000001.wal" },
        )
        .await;
    }
}

#[tokio::test]
async fn a_table_that_is_gone_is_not_begun_anew() {
    for (gone, named) in [
        ("tables/events/_delta_log", "_delta_log/00000000000000000000.json"),
        ("tables", "_delta_log/00000000000000000000.json"),
    ] {
        let directory = Image::make().await.copy();
        fs::remove_dir_all(directory.path().join(gone)).unwrap();
        if gone.ends_with("_delta_log") {
            fs::remove_dir_all(directory.path().join("tables/events/_marks")).unwrap();
        }
        refused(&directory, named).await;
    }
}

#[tokio::test]
async fn a_hole_in_the_log_is_refused() {
    let directory = Image::make().await.copy();
    fs::remove_file(directory.path().join("tables/events/_delta_log/00000000000000000001.json")).unwrap();
    refused(&directory, "_delta_log/00000000000000000001.json").await;
}

#[tokio::test]
async fn the_loss_of_the_newest_commits_is_said() {
    let image = Image::make().await;
    let directory = image.copy();
    let wal: Vec<&String> = image.tree.keys().filter(|key| key.starts_with("wal/")).collect();
    for key in &wal[wal.len() - 2..] {
        fs::remove_file(directory.path().join(key)).unwrap();
    }
    let engine = open(directory.path(), options()).await;
    let findings = engine.findings();
    assert!(findings.len() == 1 && findings[0].object == *wal[wal.len() - 2], "{findings:?}");
    append(&engine, "anew").await;
    engine.shutdown().await.unwrap();
    drop(engine);
    assert_eq!(open(directory.path(), options()).await.findings(), vec![]);
}

#[tokio::test]
async fn a_wal_that_is_gone_is_missed() {
    let image = Image::make().await;
    let directory = image.copy();
    fs::remove_dir_all(directory.path().join("wal")).unwrap();
    let engine = open(directory.path(), options()).await;
    let findings = engine.findings();
    assert!(findings[0].detail.contains("(and of 1 others), of which commits up to 2 are"), "{findings:?}");
    assert!(findings[1].detail.contains("all up to commit 5 were there"), "{findings:?}");
    let found = rows(&engine, &engine.snapshot(&events()).unwrap()).await;
    assert!(found.contains_key("h") && !found.contains_key("i"), "{:?}", found.keys());
}

#[tokio::test]
async fn a_file_in_the_place_of_a_folder_is_named() {
    for folder in ["wal", "streams", "tables"] {
        let directory = Image::make().await.copy();
        fs::remove_dir_all(directory.path().join(folder)).unwrap();
        fs::write(directory.path().join(folder), "in the way").unwrap();
        let store = Store::open_local(directory.path()).await.unwrap();
        let error = Engine::open(store, options(), Arc::new(SystemClock)).await.unwrap_err().to_string();
        assert!(error.contains(folder) && error.contains("Not a directory"), "{error}");
    }
}

#[tokio::test]
async fn a_copy_with_older_tables_than_wal_is_refused() {
    let (directory, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let engine = open(directory.path(), options()).await;
    append(&engine, "before").await;
    engine.flush().await.unwrap();
    copy_directory(&directory.path().join("tables"), &copy.path().join("tables"));
    for name in ["meanwhile", "and so on"] {
        append(&engine, name).await;
    }
    engine.flush().await.unwrap();
    for folder in ["wal", "streams"] {
        copy_directory(&directory.path().join(folder), &copy.path().join(folder));
    }
    refused(&copy, "/00000000000000000002.wal").await;
}

#[tokio::test]
async fn an_engine_to_read_has_every_row_and_leaves_every_byte() {
    let image = Image::make().await;
    let directory = image.copy();
    let store = Store::open_local_to_read(directory.path()).await.unwrap();
    let options = hexflight_engine::EngineOptions { read_only: true, ..options() };
    let engine = Engine::open(store, options, Arc::new(SystemClock)).await.unwrap();
    assert_eq!(rows(&engine, &engine.snapshot(&events()).unwrap()).await, image.rows);
    let refusals = [
        engine.append(&events(), &batch("x", 1)).await.err(),
        engine.flush().await.err(),
        engine.compact().await.err(),
        engine.vacuum().await.err(),
        engine.begin_import(&events()).await.err(),
    ];
    for refusal in refusals {
        assert!(refusal.unwrap().to_string().contains("reading only"));
    }
    engine.shutdown().await.unwrap();
    drop(engine);
    assert!(tree(directory.path()) == image.tree);
}

/// A start is refused by the name of an object, and changes nothing.
async fn refused(directory: &TempDir, named: &str) {
    let before = tree(directory.path());
    let store = Store::open_local(directory.path()).await.unwrap();
    let error = Engine::open(store, options(), Arc::new(SystemClock)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let text = error.to_string();
    assert!(
        text.split(": ").next().is_some_and(|path| path.ends_with(named)) && text.contains("restore"),
        "{text}"
    );
    let after = tree(Path::new(directory.path()));
    let is_lock = |key: &&String| *key != "LOCK";
    assert!(after.keys().filter(is_lock).eq(before.keys().filter(is_lock)), "{:?}", after.keys());
}

async fn append(engine: &Engine, name: &str) {
    engine.append(&events(), &batch(name, 40)).await.unwrap().wait().await.unwrap();
}
