//! Data files and rollups whose bytes are not what was written: a check names them, and a merge does not make them the truth.

use std::{path::PathBuf, sync::Arc};

use arrow::array::RecordBatch;
use hexflight_engine::{DataFile, Engine, EngineError, EngineOptions, ErrorKind, check_file};

use crate::support::{batch, batch_of_an_hour, copy_directory, events, expected, open, options, rows};

#[tokio::test]
async fn a_merge_names_a_damaged_file_and_leaves_it_alone() {
    let stored = Stored::new(&[40, 40, 40, 40]).await;
    let files = stored.files();
    let damaged = largest(&files);
    let path = stored.path(damaged.location.as_ref());
    let whole = std::fs::read(&path).unwrap();
    for place in (0..whole.len()).step_by(whole.len() / 10) {
        let mut bytes = whole.clone();
        bytes[place] ^= 4;
        std::fs::write(&path, bytes).unwrap();
        let error = stored.engine.compact().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains(damaged.location.as_ref()), "{error}");
        assert_eq!(stored.damage().await, [damaged.location.to_string()]);
    }
    assert!(stored.files().contains(damaged) && stored.files().len() < files.len(), "others are merged");
    std::fs::write(&path, whole).unwrap();
    stored.engine.compact().await.unwrap();
    assert_eq!(stored.damage().await, Vec::<String>::new());
    let all = expected([("batch-0", 40), ("batch-1", 40), ("batch-2", 40), ("batch-3", 40)]);
    assert_eq!(rows(&stored.engine, &stored.engine.snapshot(&events()).unwrap()).await, all);
}

/// Rollups that change places are whole each, and not those of their files.
#[tokio::test]
async fn the_rollup_of_another_file_is_damage() {
    let stored = Stored::new(&[9_000, 9_100, 9_200, 9_300]).await;
    let files: Vec<_> = stored.files().into_iter().filter(|file| file.rollup.is_some()).collect();
    let [first, second, ..] = files.as_slice() else { unreachable!("no two files with a rollup") };
    let path = |file: &DataFile| stored.path(file.rollup.as_ref().unwrap().location.as_ref());
    let (a, b) = (std::fs::read(path(first)).unwrap(), std::fs::read(path(second)).unwrap());
    std::fs::write(path(first), b).unwrap();
    std::fs::write(path(second), a).unwrap();
    let damage = stored.damage().await;
    for file in [first, second] {
        assert!(damage.contains(&file.rollup.as_ref().unwrap().location.to_string()), "{damage:?}");
    }
    stored.engine.compact().await.unwrap();
    assert_eq!(stored.damage().await, Vec::<String>::new());
}

/// Files of builds that wrote no checksums can be damaged without an error of the decoder.
#[tokio::test]
async fn a_merge_compares_rows_with_their_rollup() {
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/data-dir-unchecked");
    let (mut found, mut noticed) = (0, 0);
    for place in (300..28_000).step_by(1_390) {
        let directory = tempfile::tempdir().unwrap();
        copy_directory(&fixture, directory.path());
        let options = EngineOptions { compact: false, ..options() };
        let engine = open(directory.path(), options).await;
        let stored = Stored { engine, directory };
        let old = Arc::clone(largest(&stored.files()));
        append(&stored.engine, &batch_of_an_hour("late", 1_500)).await;
        let path = stored.path(old.location.as_ref());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[place] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let merged = stored.engine.compact().await;
        found += usize::from(merged.is_err());
        if let Err(error) = merged {
            noticed += usize::from(error.to_string().contains("in its rollup"));
            assert!(stored.files().contains(&old), "{error}");
        }
    }
    assert!(
        found > 10 && noticed > 2,
        "of 20 damaged files {found} were left alone, {noticed} by their rollup"
    );
}

#[tokio::test]
async fn a_rollup_that_is_damaged_is_named_and_does_not_stop_a_merge() {
    let stored = Stored::new(&[9_000, 9_000, 9_000, 9_000]).await;
    let files = stored.files();
    let file = files.iter().find(|file| file.rollup.is_some()).unwrap();
    let rollup = file.rollup.as_ref().unwrap().location.as_ref();
    let path = stored.path(rollup);
    let whole = std::fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [whole[..whole.len() / 2].to_vec(), vec![], flipped] {
        std::fs::write(&path, damaged).unwrap();
        assert!(stored.damage().await.iter().all(|path| path == rollup));
        assert!(!stored.damage().await.is_empty());
    }
    std::fs::write(&path, &whole[..10]).unwrap();
    assert!(stored.engine.compact().await.unwrap().files_in > 0);
    assert_eq!(stored.damage().await, Vec::<String>::new());
}

#[tokio::test]
async fn files_of_all_kinds_are_what_is_said_of_them() {
    let stored = Stored::new(&[30, 12_000, 900]).await;
    let spec = stored.spec();
    let mut checked = 0;
    for file in stored.files() {
        let check = check_file(stored.engine.store(), &spec, &file).await.unwrap();
        assert!(check.damage.is_empty() && check.has_checksums, "{check:?}");
        assert_eq!(Some(check.rows), file.row_count);
        checked += check.rows;
    }
    assert_eq!(checked, 12_930);
}

async fn append(engine: &Engine, batch: &RecordBatch) {
    engine.append(&events(), batch).await.unwrap().wait().await.unwrap();
    engine.flush().await.unwrap();
}

fn largest(files: &[Arc<DataFile>]) -> &Arc<DataFile> {
    files.iter().max_by_key(|file| file.size_bytes).unwrap()
}

/// An engine with a file or more for each batch.
struct Stored {
    engine: Arc<Engine>,
    directory: tempfile::TempDir,
}

impl Stored {
    async fn new(batches: &[i64]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = EngineOptions { compact: false, generation_rows_max: 1 << 20, ..options() };
        let engine = open(directory.path(), options).await;
        for (number, rows) in batches.iter().enumerate() {
            append(&engine, &batch(&format!("batch-{number}"), *rows)).await;
        }
        Self { engine, directory }
    }

    fn files(&self) -> Vec<Arc<DataFile>> {
        self.engine.snapshot(&events()).unwrap().files().to_vec()
    }

    fn spec(&self) -> Arc<hexflight_engine::TableSpec> {
        Arc::clone(self.engine.snapshot(&events()).unwrap().spec())
    }

    fn path(&self, location: &str) -> PathBuf {
        self.directory.path().join(location)
    }

    /// The objects that a check of every file names.
    async fn damage(&self) -> Vec<String> {
        let (mut named, spec) = (vec![], self.spec());
        for file in self.files() {
            let check = check_file(self.engine.store(), &spec, &file).await.unwrap();
            named.extend(check.damage.into_iter().map(|damage| match damage {
                EngineError::Corrupt { path, .. } => path,
                other => unreachable!("{other}"),
            }));
        }
        named
    }
}
