//! Compaction and vacuum change where rows lie, never which there are: whatever goes on beside them, whoever still reads, and
//! however they are cut off.

mod cut_off;
mod together;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use arrow::array::RecordBatch;
use hexflight_engine::{
    Clock, ColumnRange, Engine, EngineOptions, ErrorKind, ScalarBound, Snapshot, Store, column,
};
use object_store::{ObjectStoreExt, PutPayload, path::Path};

use crate::support::{START, batch, copy_directory, events, expected, open, options, rows};

const MINUTE: i64 = 60_000_000;
const BATCH_ROWS: i64 = 40;

/// Merges only when asked, and deletes what is merged when asked.
fn asked() -> EngineOptions {
    EngineOptions { compact: false, vacuum_after: std::time::Duration::ZERO, ..options() }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("batch-{n}")).collect()
}

async fn ingest(engine: &Engine, batch: &RecordBatch) {
    engine.append(&events(), batch).await.unwrap().wait().await.unwrap();
    engine.flush().await.unwrap();
}

async fn ingest_all(engine: &Engine, names: &[String]) {
    for name in names {
        ingest(engine, &batch(name, BATCH_ROWS)).await;
    }
}

fn all(names: &[String]) -> crate::support::Rows {
    expected(names.iter().map(|name| (name.as_str(), BATCH_ROWS)))
}

fn snapshot(engine: &Engine) -> Arc<Snapshot> {
    engine.snapshot(&events()).unwrap()
}

/// Data files in the store, sorted.
async fn stored(engine: &Engine) -> Vec<String> {
    let objects = engine.store().list(&Path::from("tables")).await.unwrap();
    let paths = objects.into_iter().map(|meta| meta.location.to_string());
    paths.filter(|path| path.ends_with(".parquet")).collect()
}

/// Data files that a snapshot names, sorted.
fn named(snapshot: &Snapshot) -> Vec<String> {
    let mut paths: Vec<String> = snapshot.files().iter().map(|file| file.location.to_string()).collect();
    paths.sort_unstable();
    paths
}

fn micros(range: &ColumnRange) -> (i64, i64) {
    match (&range.min, &range.max) {
        (Some(ScalarBound::Micros(min)), Some(ScalarBound::Micros(max))) => (*min, *max),
        _ => unreachable!("no times: {range:?}"),
    }
}

/// Files by time are what asking each of them says, at both ends of each.
fn assert_found_by_time(snapshot: &Snapshot) {
    let times: Vec<_> = snapshot.files().iter().map(|file| file.time().unwrap()).collect();
    let ends: Vec<i64> =
        times.iter().flat_map(|(from, to)| [from - 1, *from, from + 1, to - 1, *to, to + 1]).collect();
    let moments = ends.iter().zip(&ends);
    for (from, to) in ends.iter().zip(ends.iter().rev()).chain(moments) {
        let found: Vec<_> = snapshot.files_within(*from, *to).map(|file| &file.location).collect();
        let asked = snapshot.files().iter().zip(&times);
        let expected = asked.filter(|(_, (first, last))| first <= to && from <= last);
        assert_eq!(found, expected.map(|(file, _)| &file.location).collect::<Vec<_>>(), "{from}..={to}");
    }
}

#[tokio::test]
async fn files_get_fewer_and_rows_stay() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), asked()).await;
    let names = names(30);
    ingest_all(&engine, &names).await;
    let before = snapshot(&engine);
    assert_found_by_time(&before);
    let before = before.files().len();
    let summary = engine.compact().await.unwrap();
    let after = snapshot(&engine);
    assert!(after.files().len() <= 4 && before >= 30, "{before} files became {}", after.files().len());
    assert_eq!(before + summary.files_out - summary.files_in, after.files().len(), "{summary:?}");
    assert_found_by_time(&after);
    assert!(summary.rewrites > 0 && summary.rows >= 30 * BATCH_ROWS as u64, "{summary:?}");
    assert_eq!(rows(&engine, &after).await, all(&names));
    assert_eq!(engine.compact().await.unwrap().rewrites, 0, "nothing is left to do");
    engine.shutdown().await.unwrap();
    drop((engine, after));
    let revived = open(directory.path(), asked()).await;
    assert_eq!(rows(&revived, &snapshot(&revived)).await, all(&names));
    assert_found_by_time(&snapshot(&revived));
    assert_eq!(revived.compact().await.unwrap().rewrites, 0);
}

#[tokio::test]
async fn a_bucket_of_too_many_rows_is_divided_by_time() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), EngineOptions { compact_split_rows: 2_000, ..asked() }).await;
    for n in 0..30 {
        let rows: Vec<i64> = (0..300).map(|row| START + row * 12_000_000 + n).collect();
        ingest(&engine, &crate::import::batch_at_times(&rows)).await;
    }
    engine.compact().await.unwrap();
    let snapshot = snapshot(&engine);
    for file in snapshot.files() {
        let (first, last) = micros(&file.columns[column::TIMESTAMP]);
        assert!(file.row_count.unwrap() <= 2_000);
        assert_eq!((first - START) / (10 * MINUTE), (last - START) / (10 * MINUTE), "{}", file.location);
    }
    assert_eq!(snapshot.files().iter().filter_map(|file| file.row_count).sum::<u64>(), 9_000);
    let per_piece = snapshot.files().len() as f64 / 6.0;
    assert!(per_piece <= 3.0, "{per_piece} files for 1,500 rows of ten minutes");
}

#[tokio::test]
async fn late_rows_join_their_bucket() {
    let directory = tempfile::tempdir().unwrap();
    let options = EngineOptions { compact_split_rows: 64_000, generation_rows_max: 1 << 20, ..asked() };
    let engine = open(directory.path(), options).await;
    let hour =
        |hour: i64, count: i64| (0..count).map(move |row| START + (hour * 60) * MINUTE + row * 100_000);
    for n in 0..10 {
        ingest(&engine, &crate::import::batch_at_times(&hour(n, 10_000).collect::<Vec<_>>())).await;
    }
    for _ in 0..20 {
        let late: Vec<i64> = (0..10).flat_map(|n| hour(n, 60)).collect();
        ingest(&engine, &crate::import::batch_at_times(&late)).await;
    }
    engine.compact().await.unwrap();
    let snapshot = snapshot(&engine);
    let in_hour = |range: (i64, i64)| (range.0 - START) / (60 * MINUTE) == (range.1 - START) / (60 * MINUTE);
    let wide: u64 = snapshot
        .files()
        .iter()
        .filter(|file| !in_hour(micros(&file.columns[column::TIMESTAMP])))
        .filter_map(|file| file.row_count)
        .sum();
    assert_eq!(wide, 0, "of 12,000 late rows");
    assert!(snapshot.files().len() <= 20, "{} files for ten hours", snapshot.files().len());
    assert_eq!(snapshot.files().iter().filter_map(|file| file.row_count).sum::<u64>(), 112_000);
}

#[tokio::test]
async fn an_old_snapshot_is_readable_as_long_as_it_is_held() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), asked()).await;
    let names = names(12);
    ingest_all(&engine, &names).await;
    let old = snapshot(&engine);
    engine.compact().await.unwrap();
    assert_eq!(engine.vacuum().await.unwrap(), 0);
    assert_eq!(rows(&engine, &old).await, all(&names));
    let removed = old.files().len();
    drop(old);
    assert_eq!(engine.vacuum().await.unwrap(), removed);
    assert_eq!(engine.vacuum().await.unwrap(), 0);
    assert_eq!(stored(&engine).await, named(&snapshot(&engine)));
    assert_eq!(rows(&engine, &snapshot(&engine)).await, all(&names));
}

/// A clock that is set.
#[derive(Debug)]
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now_micros(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_vacuum_waits_out_the_retention_across_a_restart() {
    const HOUR: i64 = 60 * MINUTE;
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(SetClock(AtomicI64::new(START + HOUR)));
    let options = EngineOptions { vacuum_after: std::time::Duration::from_hours(24), ..asked() };
    let names = names(8);
    let start = async || {
        let store = Store::open_local(directory.path()).await.unwrap();
        Engine::open(store, options.clone(), Arc::<SetClock>::clone(&clock)).await.unwrap()
    };
    let engine = start().await;
    ingest_all(&engine, &names).await;
    let before = stored(&engine).await;
    engine.compact().await.unwrap();
    clock.0.fetch_add(23 * HOUR, Ordering::SeqCst);
    assert_eq!(engine.vacuum().await.unwrap(), 0);
    engine.shutdown().await.unwrap();
    drop(engine);
    let engine = start().await;
    assert!(stored(&engine).await.len() > before.len());
    clock.0.fetch_add(2 * HOUR, Ordering::SeqCst);
    assert!(engine.vacuum().await.unwrap() >= before.len());
    assert_eq!(stored(&engine).await, named(&snapshot(&engine)));
    assert_eq!(rows(&engine, &snapshot(&engine)).await, all(&names));
}

#[tokio::test]
async fn a_broken_file_stops_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), asked()).await;
    let names = names(8);
    ingest_all(&engine, &names).await;
    let broken = snapshot(&engine).files()[3].location.clone();
    let objects = engine.store().object_store();
    let whole = objects.get(&broken).await.unwrap().bytes().await.unwrap();
    objects.put(&broken, PutPayload::from_static(b"not Parquet")).await.unwrap();
    let error = engine.compact().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(broken.as_ref()), "{error}");
    ingest(&engine, &batch("behind", BATCH_ROWS)).await;
    engine.health().unwrap();
    objects.put(&broken, PutPayload::from(whole)).await.unwrap();
    engine.compact().await.unwrap();
    assert_eq!(rows(&engine, &snapshot(&engine)).await.len(), 9);
    engine.vacuum().await.unwrap();
    assert_eq!(stored(&engine).await, named(&snapshot(&engine)));
}

#[tokio::test]
async fn a_file_with_fewer_rows_than_the_log_says_is_not_merged() {
    let (first, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let engine = open(first.path(), asked()).await;
    ingest_all(&engine, &names(5)).await;
    copy_directory(first.path(), copy.path());
    let version = |number: i64| copy.path().join(format!("tables/events/_delta_log/{number:020}.json"));
    let ours = std::fs::read_to_string(version(1)).unwrap();
    let add = ours.lines().find(|line| line.starts_with("{\"add\"")).unwrap();
    let more = add.replace("numRecords\\\":40", "numRecords\\\":41");
    let info = r#"{"commitInfo":{"operation":"WRITE","engineInfo":"another"}}"#;
    std::fs::write(version(6), format!("{info}\n{more}\n")).unwrap();
    let engine = open(copy.path(), asked()).await;
    let error = engine.compact().await.unwrap_err();
    assert!(error.to_string().contains("41 rows, found 40"), "{error}");
    assert!(snapshot(&engine).files().iter().any(|file| file.row_count == Some(41)));
}

#[tokio::test]
async fn a_file_in_the_place_of_another_is_not_merged() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), asked()).await;
    ingest_all(&engine, &names(5)).await;
    let (files, objects) = (snapshot(&engine).files().to_vec(), engine.store().object_store());
    let other = objects.get(&files[4].location).await.unwrap().bytes().await.unwrap();
    objects.put(&files[0].location, PutPayload::from(other)).await.unwrap();
    let error = engine.compact().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(files[0].location.as_ref()), "{error}");
    assert!(snapshot(&engine).files().contains(&files[0]));
}

#[tokio::test]
async fn a_rewrite_without_memory_is_put_off() {
    let directory = tempfile::tempdir().unwrap();
    let options = EngineOptions { append_wait: std::time::Duration::from_millis(50), ..asked() };
    let engine = open(directory.path(), options).await;
    let names = names(6);
    ingest_all(&engine, &names).await;
    let taken = engine.budget().try_events(engine.budget().events_max()).unwrap();
    assert_eq!(engine.compact().await.unwrap_err().kind(), ErrorKind::Exhausted);
    drop(taken);
    assert_eq!(engine.compact().await.unwrap().rewrites, 1);
    assert_eq!(rows(&engine, &snapshot(&engine)).await, all(&names));
    assert_eq!(engine.budget().used(), 0);
}
