//! Directories that earlier versions left: what users have on their disks opens, with every row.

use std::path::Path;

use crate::support::{copy_directory, events, expected, open, options, rows};

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
