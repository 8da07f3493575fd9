//! A small data directory with an object of every kind, as a process that was killed leaves it.

use std::{collections::BTreeMap, path::Path};

use hexflight_engine::EngineOptions;
use tempfile::TempDir;

use crate::support::{Rows, batch, copy_directory, events, expected, open, options};

/// Every object below a directory, by its key.
pub(super) type Tree = BTreeMap<String, Vec<u8>>;

pub(super) struct Image {
    directory: TempDir,
    pub(super) tree: Tree,
    /// What was acknowledged.
    pub(super) rows: Rows,
}

impl Image {
    /// Two lives: one that ended well with its rows in files, one that was killed with some in files and three commits in its WAL.
    pub(super) async fn make() -> Self {
        let (directory, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        // Nothing is flushed unless asked: one version for each life.
        let options = EngineOptions { generation_rows_max: 1 << 20, ..options() };
        let first = [("a", 1_100), ("b", 10), ("c", 10), ("d", 10), ("e", 10), ("f", 10)];
        let second = [("g", 1_100), ("h", 30), ("i", 20), ("j", 20), ("k", 20)];
        let engine = open(directory.path(), options.clone()).await;
        append(&engine, &first).await;
        engine.shutdown().await.unwrap();
        drop(engine);
        let engine = open(directory.path(), options).await;
        append(&engine, &second[..2]).await;
        engine.flush().await.unwrap();
        append(&engine, &second[2..]).await;
        copy_directory(directory.path(), copy.path());
        Self { tree: tree(copy.path()), directory: copy, rows: expected(first.into_iter().chain(second)) }
    }

    /// A copy to damage.
    pub(super) fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_directory(self.directory.path(), copy.path());
        copy
    }
}

async fn append(engine: &hexflight_engine::Engine, batches: &[(&str, i64)]) {
    for (name, rows) in batches {
        engine.append(&events(), &batch(name, *rows)).await.unwrap().wait().await.unwrap();
    }
}

/// Everything that a start may not lose; what is swept at every start is left out.
pub(super) fn tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    collect(root, root, &mut tree);
    tree.retain(|key, _| !key.starts_with(".staging/") && !key.starts_with("_probe/"));
    tree
}

fn collect(root: &Path, folder: &Path, tree: &mut Tree) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, tree);
        } else {
            let key = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            tree.insert(key, std::fs::read(&path).unwrap());
        }
    }
}
