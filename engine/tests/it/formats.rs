//! Directories that earlier versions left: what users have on their disks opens, with every row.

use std::path::Path;

use hexflight_engine::{EngineOptions, check_file};

use crate::support::{batch_of_an_hour, copy_directory, events, expected, open, options, rows};

/// Rollups of version 2, and no checksums: until a merge, files are as good as they were.
#[tokio::test]
async fn a_data_directory_without_checksums_opens_and_a_merge_renews_it() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/data-dir-unchecked");
    let directory = tempfile::tempdir().unwrap();
    copy_directory(&fixture, directory.path());
    let engine = open(directory.path(), EngineOptions { compact: false, ..options() }).await;
    let before = engine.snapshot(&events()).unwrap();
    let mut all = rows(&engine, &before).await;
    assert_eq!(all.values().map(Vec::len).sum::<usize>(), 3_300);
    for file in before.files() {
        let check = check_file(engine.store(), before.spec(), file).await.unwrap();
        assert!(!check.has_checksums && check.damage.is_empty(), "{check:?}");
    }
    assert_eq!(before.files().iter().filter(|file| file.rollup.is_some()).count(), 1);
    engine.append(&events(), &batch_of_an_hour("late", 1_500)).await.unwrap().wait().await.unwrap();
    engine.flush().await.unwrap();
    assert!(engine.compact().await.unwrap().files_in > 1);
    let after = engine.snapshot(&events()).unwrap();
    all.extend(expected([("late", 1_500)]));
    assert_eq!(rows(&engine, &after).await, all);
    for file in after.files() {
        let check = check_file(engine.store(), after.spec(), file).await.unwrap();
        assert!(check.damage.is_empty(), "{check:?}");
        assert_eq!(check.has_checksums, !before.files().contains(file));
    }
    assert!(!before.files().iter().all(|file| after.files().contains(file)));
}

#[tokio::test]
async fn a_data_directory_of_format_version_1_opens() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/data-dir-v1");
    let directory = tempfile::tempdir().unwrap();
    copy_directory(&fixture, directory.path());
    let engine = open(directory.path(), options()).await;
    let snapshot = engine.snapshot(&events()).unwrap();
    assert_eq!(snapshot.memory().map(|batch| batch.zone().row_count).sum::<usize>(), 100);
    let all = expected([("device-0", 100), ("device-1", 100), ("device-2", 100)]);
    assert_eq!(rows(&engine, &snapshot).await, all);
    engine.flush().await.unwrap();
    assert_eq!(rows(&engine, &engine.snapshot(&events()).unwrap()).await, all);
}
