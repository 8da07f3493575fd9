//! Who on the machine may look at what is stored: the owner alone, but for the table, which other tools read.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use hexflight_engine::backup;

use crate::support::{batch, events, open, options};

#[tokio::test]
async fn all_but_the_table_is_the_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fill(root).await;
    assert_private(root);
    // As the umask says, which is not this test's to set.
    let probe = root.join("probe");
    fs::write(&probe, "").unwrap();
    let files: Vec<_> = below(&root.join("tables")).into_iter().filter(|path| path.is_file()).collect();
    assert!(!files.is_empty());
    for file in files {
        assert_eq!(mode(&file), mode(&probe), "{}", file.display());
    }
}

#[tokio::test]
async fn what_an_earlier_build_left_open_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path()).await;
    let closed = ["LOCK", "wal", "streams"].map(|name| directory.path().join(name));
    for path in &closed {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    open(directory.path(), options()).await.shutdown().await.unwrap();
    for path in closed {
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
}

#[tokio::test]
async fn a_backup_is_as_private_as_its_original() {
    let (directory, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(directory.path()).await;
    let to = copy.path().join("copy");
    backup(directory.path(), &to).await.unwrap();
    assert_private(&to);
}

/// A flushed batch and one in the log.
async fn fill(root: &Path) {
    let engine = open(root, options()).await;
    engine.append(&events(), &batch("a", 100)).await.unwrap().wait().await.unwrap();
    engine.flush().await.unwrap();
    engine.append(&events(), &batch("b", 100)).await.unwrap().wait().await.unwrap();
}

fn assert_private(root: &Path) {
    let private = ["LOCK", "wal", "streams"].map(|name| root.join(name));
    for path in private.iter().flat_map(|path| below(path)) {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
}

/// A path and everything below it.
fn below(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_owned()];
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        found.extend(entries.flat_map(|entry| below(&entry)));
    }
    found
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
