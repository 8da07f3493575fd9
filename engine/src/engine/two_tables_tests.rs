//! Two tables over one log: after a crash each finds its rows again, however far the other one is.

use arrow::array::{ArrayRef, Float64Array, StringArray, TimestampMicrosecondArray};
use object_store::memory::InMemory;

use super::*;
use crate::{SystemClock, flush::flush_table, store::keys};

const START: i64 = 1_767_225_600_000_000;

#[tokio::test]
async fn rows_of_a_table_that_lags_come_back_after_a_crash() {
    let store = Store::new(Arc::new(InMemory::new()));
    let engine = open(&store).await;
    append(&engine, "events", 100).await;
    append(&engine, "others", 50).await;
    append(&engine, "events", 10).await;
    let shared = &engine.shared;
    let events = shared.tables.get(&TableName::new("events")).unwrap();
    flush_table(events, &shared.admission.budget, shared.flusher.portion, true).await.unwrap();
    assert_eq!(rows(&engine), (110, 50));
    drop(engine);

    let engine = open(&store).await;
    assert_eq!(rows(&engine), (110, 50));
    append(&engine, "others", 5).await;
    engine.shutdown().await.unwrap();
    let engine = open(&store).await;
    assert_eq!(rows(&engine), (110, 55));
    engine.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_log_behind_a_table_that_lags_stays() {
    let store = Store::new(Arc::new(InMemory::new()));
    let engine = open(&store).await;
    for _ in 0..3 {
        append(&engine, "events", 10).await;
        append(&engine, "others", 10).await;
    }
    let shared = &engine.shared;
    let events = shared.tables.get(&TableName::new("events")).unwrap();
    flush_table(events, &shared.admission.budget, shared.flusher.portion, true).await.unwrap();
    shared.streams.retire(&shared.tables, &store, &store).await.unwrap();
    assert_eq!(commits(&store).await, 6, "the other table has none of its rows in files");
    engine.flush().await.unwrap();
    assert_eq!(commits(&store).await, 2, "the last one of each stays");
    engine.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_table_that_nothing_is_sent_to_keeps_no_log() {
    let store = Store::new(Arc::new(InMemory::new()));
    let engine = open(&store).await;
    append(&engine, "others", 1).await;
    for _ in 0..70 {
        append(&engine, "events", 1).await;
    }
    engine.flush().await.unwrap();
    assert_eq!(commits(&store).await, 1);
    append(&engine, "others", 2).await;
    drop(engine);
    let engine = open(&store).await;
    assert_eq!(rows(&engine), (70, 3));
    engine.shutdown().await.unwrap();
}

async fn open(store: &Store) -> Arc<Engine> {
    let options = EngineOptions { memory_limit_bytes: 64 << 20, compact: false, ..EngineOptions::default() };
    let tables = vec![TableSpec::events(), TableSpec::named("others")];
    Engine::open_tables(store.clone(), options, Arc::new(SystemClock), tables).await.unwrap()
}

async fn append(engine: &Engine, table: &str, rows: i64) {
    let times = TimestampMicrosecondArray::from_iter_values((0..rows).map(|row| START + row));
    let columns: [(&str, ArrayRef); 4] = [
        ("timestamp", Arc::new(times.with_timezone("UTC"))),
        ("device_id", Arc::new(StringArray::from_iter_values((0..rows).map(|_| "d")))),
        ("type", Arc::new(StringArray::from_iter_values((0..rows).map(|_| "t")))),
        ("value", Arc::new(Float64Array::from_iter_values((0..rows).map(|row| row as f64)))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    engine.append(&TableName::new(table), &batch).await.unwrap().wait().await.unwrap();
}

/// Rows of both tables, in memory and in files.
fn rows(engine: &Engine) -> (u64, u64) {
    let of = |table: &str| {
        let snapshot = engine.snapshot(&TableName::new(table)).unwrap();
        let in_files: u64 = snapshot.files().iter().filter_map(|file| file.row_count).sum();
        in_files + snapshot.memory().map(|batch| batch.batch().num_rows() as u64).sum::<u64>()
    };
    (of("events"), of("others"))
}

/// Commits that lie in the log.
async fn commits(store: &Store) -> usize {
    let listed = store.list(&keys::WAL.into()).await.unwrap();
    listed.iter().filter(|meta| keys::parse_wal_object(&meta.location).is_some()).count()
}
