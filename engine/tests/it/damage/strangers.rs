//! Files of other tools and of people, in every folder: a start neither stumbles over them nor deletes them, however old they are.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use hexflight_engine::{Engine, EngineOptions, Store, SystemClock};

use super::image::{Image, Tree, tree};
use crate::support::{events, options, rows, until};

const STRANGERS: [&str; 24] = [
    "notes.txt",
    ".DS_Store",
    "streams/notes.txt",
    "streams/01a2011b-8e60-7522-ae14-6f5f2c17ae03.json.bak",
    "streams/old/01a2011b-8e60-7522-ae14-6f5f2c17ae03.json",
    "wal/readme",
    "wal/x/readme",
    "wal/x/00000000000000000001.wal",
    "wal/STREAM/foo.wal",
    "wal/STREAM/1.wal",
    "wal/STREAM/old/00000000000000000001.wal",
    "tables/backup/a.parquet",
    "tables/events/foo.parquet",
    "tables/events/part-00000-01a2011b-8e8f-766a-a29c-f5708662fc7f-c000.snappy.parquet",
    "tables/events/2026-01-01/mine.parquet",
    "tables/events/_change_data/cdc-1.parquet",
    "tables/events/_delta_log/.00000000000000000001.json.crc",
    "tables/events/_delta_log/00000000000000000001.crc",
    "tables/events/_delta_log/00000000000000000009.json.tmp",
    "tables/events/_delta_log/00000000000000000001.checkpoint.parquet",
    "tables/events/_delta_log/_last_checkpoint",
    "tables/events/_delta_log/old/00000000000000000009.json",
    "tables/events/_marks/old/00000000000000000009.mark",
    "tables/events/_rollups/2026-01-01/mine.rollup",
];

/// Writes a file two days ago. The clock is right: what the start flushes meanwhile must not look old.
fn write_old(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    let written = SystemTime::now() - Duration::from_hours(48);
    fs::File::options().write(true).open(path).unwrap().set_modified(written).unwrap();
}

#[tokio::test]
async fn strange_files_are_left_alone() {
    let image = Image::make().await;
    let directory = image.copy();
    let stream = image.tree.keys().rfind(|key| key.starts_with("wal/")).unwrap().split('/').nth(1).unwrap();
    let mut strangers = Tree::new();
    for name in STRANGERS {
        let key = name.replace("STREAM", stream);
        let path = directory.path().join(&key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_old(&path, "strange");
        strangers.insert(key, b"strange".to_vec());
    }
    let orphan =
        directory.path().join("tables/events/2026-01-01/00-01a2011b-0003-7000-8000-000000000000.parquet");
    write_old(&orphan, "left by a flush that was cut off");

    let store = Store::open_local(directory.path()).await.unwrap();
    let options = EngineOptions { vacuum_after: Duration::ZERO, ..options() };
    let engine = Engine::open(store, options, Arc::new(SystemClock)).await.unwrap();
    until("the orphan is deleted", async || (!orphan.exists()).then_some(())).await;
    engine.compact().await.unwrap();
    engine.vacuum().await.unwrap();
    assert_eq!(rows(&engine, &engine.snapshot(&events()).unwrap()).await, image.rows);
    engine.shutdown().await.unwrap();
    drop(engine);

    let left = tree(directory.path());
    let gone: Vec<&String> = strangers.keys().filter(|key| left.get(*key) != strangers.get(*key)).collect();
    assert_eq!(gone, Vec::<&String>::new());
}
