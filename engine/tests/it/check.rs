//! `check` finds each kind of damage, names the object, and has nothing to say of a directory that is whole.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hexflight_engine::{CheckReport, check};

use crate::support::{batch, copy_directory, events, open, options};

/// Does something to a file.
type Damage = fn(&Path);

/// Rows of a batch: enough for a file with a rollup.
const ROWS: i64 = 3_000;

/// A directory with everything in it, as a killed process leaves it: two files, one with a rollup; four commits in no file; an ended
/// stream.
async fn lived_in() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let engine = open(&data, options()).await;
    engine.append(&events(), &batch("large", ROWS)).await.unwrap().wait().await.unwrap();
    engine.shutdown().await.unwrap();
    drop(engine);
    let engine = open(&data, options()).await;
    engine.append(&events(), &batch("small", 40)).await.unwrap().wait().await.unwrap();
    engine.flush().await.unwrap();
    for n in 0..4 {
        engine.append(&events(), &batch(&format!("log-{n}"), 40)).await.unwrap().wait().await.unwrap();
    }
    drop(engine);
    (folder, data)
}

#[tokio::test]
async fn a_whole_directory_is_found_whole_and_is_not_changed() {
    let (_folder, data) = lived_in().await;
    let before = contents(&data);
    let report = check(&data).await.unwrap();
    assert_eq!((report.findings, report.notes), (vec![], vec![]));
    let summary = report.summary;
    assert_eq!((summary.file_rows, summary.wal_rows, summary.streams), (ROWS as u64 + 40, 160, 1));
    assert_eq!((summary.versions, summary.unchecked_files), (3, 0));
    assert_eq!(contents(&data), before);
}

#[tokio::test]
async fn each_kind_of_damage_is_found_and_named() {
    let (folder, data) = lived_in().await;
    let all: Vec<PathBuf> = contents(&data).into_iter().map(|(path, _)| path).collect();
    let find = |part: &str, end: &str| {
        let mut found = all.iter().filter(|path| {
            let text = path.display().to_string();
            text.contains(part) && text.ends_with(end)
        });
        found.next().unwrap_or_else(|| panic!("{part}*{end} among {all:?}")).clone()
    };
    let parquet = find("tables/events/20", ".parquet");
    let rollup = find("_rollups", ".rollup");
    let (first, second) = (find("_delta_log", "1.json"), find("_delta_log", "2.json"));
    let entry = find("streams/", ".json");
    let (wal, newest) = (find("wal/", "00003.wal"), find("wal/", "00005.wal"));
    let damage: [(&str, Damage); 4] = [("remove", remove), ("empty", empty), ("cut", cut), ("flip", flip)];
    let mut checks = vec![];
    for (n, object) in [&parquet, &rollup, &first, &second, &entry, &wal, &newest].into_iter().enumerate() {
        for (kind, damage) in damage {
            let torn = folder.path().join(format!("{kind}-{n}"));
            copy_directory(&data, &torn);
            damage(&torn.join(object));
            checks.push(names_the_damage(torn, object.display().to_string(), kind));
        }
    }
    futures::future::join_all(checks).await;
}

async fn names_the_damage(torn: PathBuf, name: String, kind: &str) {
    let before = contents(&torn);
    let report = check(&torn).await.unwrap();
    assert!(names(&report).contains(&name), "{kind} {name}: {:?}", report.findings);
    assert_eq!(contents(&torn), before, "{kind} {name}");
}

#[tokio::test]
async fn a_gap_says_what_lies_behind_it() {
    let (_folder, data) = lived_in().await;
    let wal = contents(&data)
        .into_iter()
        .map(|(path, _)| path)
        .find(|path| path.ends_with(format!("{:020}.wal", 3)));
    remove(&data.join(wal.unwrap()));
    let report = check(&data).await.unwrap();
    let text = report.findings[0].to_string();
    assert!(
        text.contains("commit 3 is missing, while 2 later ones of the stream with 80 rows are there"),
        "{text}"
    );
    assert!(text.contains("up to commit 2 can be had"), "{text}");
    assert_eq!(report.summary.wal_rows, 40);
}

#[tokio::test]
async fn what_is_strange_is_a_note_and_no_damage() {
    let (_folder, data) = lived_in().await;
    fs::write(data.join("notes.txt"), "mine").unwrap();
    let orphan = "tables/events/2026-01-01/00-01a2011b-8e8f-766a-a29c-f5708662fc7f.parquet";
    fs::create_dir_all(data.join(orphan).parent().unwrap()).unwrap();
    fs::write(data.join(orphan), "x").unwrap();
    fs::create_dir(data.join("quarantine")).unwrap();
    fs::write(data.join("quarantine/old.wal"), "x").unwrap();
    let report = check(&data).await.unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(report.notes.len(), 3, "{:?}", report.notes);
    for name in ["notes.txt", orphan, "quarantine/old.wal"] {
        assert!(report.notes.iter().any(|note| note.contains(name)), "{name}: {:?}", report.notes);
    }
}

fn names(report: &CheckReport) -> Vec<String> {
    report.findings.iter().map(|finding| finding.object.clone()).collect()
}

fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

fn empty(path: &Path) {
    fs::write(path, "").unwrap();
}

fn cut(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let place = bytes.len() / 3;
    // The highest bit makes text that is no UTF-8, and a number that is another.
    bytes[place] ^= 0x80;
    fs::write(path, bytes).unwrap();
}

/// Every file below a folder, by its relative path, with its bytes.
fn contents(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = vec![];
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.strip_prefix(root).unwrap().to_path_buf(), fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
