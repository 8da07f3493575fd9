//! Append, see, flush, restart: what was acknowledged is there, once, whichever way the engine ended.

use std::{sync::Arc, time::Duration};

use hexflight_engine::{EngineError, EngineOptions, ErrorKind, Store, TableName};
use object_store::path::Path;

use crate::support::{batch, copy_directory, events, expected, open, options, rows};

#[tokio::test]
async fn an_acknowledged_batch_is_visible() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), options()).await;
    let ack = engine.append(&events(), &batch("a", 10)).await.unwrap().wait().await.unwrap();
    assert_eq!((ack.rows, ack.sequence.0), (10, 1));
    assert_eq!(rows(&engine, &engine.snapshot(&events()).unwrap()).await, expected([("a", 10)]));
}

#[tokio::test]
async fn flushed_rows_leave_memory_and_the_wal() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), options()).await;
    for name in ["a", "b", "c"] {
        engine.append(&events(), &batch(name, 700)).await.unwrap().wait().await.unwrap();
    }
    engine.flush().await.unwrap();
    let snapshot = engine.snapshot(&events()).unwrap();
    assert_eq!(snapshot.generations().len(), 0);
    assert_eq!(rows(&engine, &snapshot).await, expected([("a", 700), ("b", 700), ("c", 700)]));
    assert!(snapshot.files().len() <= 3, "thin buckets share a file: {}", snapshot.files().len());
    let wal = engine.store().list(&Path::from("wal")).await.unwrap();
    assert!(matches!(wal.as_slice(), [last] if last.location.as_ref().ends_with("3.wal")), "{wal:?}");
    drop(snapshot);
    assert_eq!(engine.budget().used(), 0);
}

#[tokio::test]
async fn a_query_keeps_its_snapshot_while_the_engine_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), options()).await;
    engine.append(&events(), &batch("a", 10)).await.unwrap().wait().await.unwrap();
    let before = engine.snapshot(&events()).unwrap();
    engine.append(&events(), &batch("b", 10)).await.unwrap().wait().await.unwrap();
    engine.flush().await.unwrap();
    assert_eq!(rows(&engine, &before).await, expected([("a", 10)]));
}

#[tokio::test]
async fn a_restart_after_a_crash_finds_every_acknowledged_row() {
    let directory = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), options()).await;
    let names: Vec<String> = (0..40).map(|n| format!("batch-{n}")).collect();
    for (n, name) in names.iter().enumerate() {
        engine.append(&events(), &batch(name, 90)).await.unwrap().wait().await.unwrap();
        if n == 20 {
            engine.flush().await.unwrap();
        }
    }
    copy_directory(directory.path(), copy.path());
    let revived = open(copy.path(), options()).await;
    let all = expected(names.iter().map(|name| (name.as_str(), 90)));
    assert_eq!(rows(&revived, &revived.snapshot(&events()).unwrap()).await, all);
    revived.flush().await.unwrap();
    assert_eq!(rows(&revived, &revived.snapshot(&events()).unwrap()).await, all);
}

#[tokio::test]
async fn shutdown_flushes_and_leaves_nothing_to_recover() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), options()).await;
    engine.append(&events(), &batch("a", 10)).await.unwrap().wait().await.unwrap();
    engine.shutdown().await.unwrap();
    let refused = engine.append(&events(), &batch("b", 10)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed);
    assert_eq!(engine.store().list(&Path::from("streams")).await.unwrap(), vec![]);
    drop(engine);
    let engine = open(directory.path(), options()).await;
    let snapshot = engine.snapshot(&events()).unwrap();
    assert_eq!(snapshot.generations().len(), 0);
    assert_eq!(rows(&engine, &snapshot).await, expected([("a", 10)]));
}

#[tokio::test]
async fn batches_of_many_callers_are_all_kept_and_acknowledged_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), options()).await;
    let callers = (0..8).map(|caller| {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move {
            let mut pending = vec![];
            for n in 0..25 {
                let name = format!("{caller}-{n}");
                pending.push(engine.append(&events(), &batch(&name, 20)).await.unwrap());
            }
            let mut last = None;
            for ack in pending {
                let sequence = ack.wait().await.unwrap().sequence;
                assert!(last <= Some(sequence));
                last = Some(sequence);
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    let names: Vec<String> = (0..8).flat_map(|c| (0..25).map(move |n| format!("{c}-{n}"))).collect();
    let all = expected(names.iter().map(|name| (name.as_str(), 20)));
    assert_eq!(rows(&engine, &engine.snapshot(&events()).unwrap()).await, all);
}

#[tokio::test]
async fn a_bad_batch_and_an_unknown_table_leave_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), options()).await;
    let bad = batch("a", 3).project(&[0, 1, 2]).unwrap();
    assert_eq!(engine.append(&events(), &bad).await.unwrap_err().kind(), ErrorKind::Invalid);
    let unknown = engine.append(&TableName::new("metrics"), &batch("a", 3)).await.unwrap_err();
    assert!(matches!(unknown, EngineError::UnknownTable { .. }), "{unknown}");
    assert_eq!(engine.budget().used(), 0);
    assert_eq!(engine.store().list(&Path::from("wal")).await.unwrap(), vec![]);
}

#[tokio::test]
async fn without_memory_an_append_waits_and_is_then_refused() {
    let directory = tempfile::tempdir().unwrap();
    let options = EngineOptions { append_wait: Duration::from_millis(50), ..options() };
    let engine = open(directory.path(), options).await;
    let held = engine.budget().try_reserve(256 << 20, 1.0).unwrap();
    let refused = engine.append(&events(), &batch("a", 3)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Exhausted);
    drop(held);
    engine.append(&events(), &batch("a", 3)).await.unwrap().wait().await.unwrap();
}

#[tokio::test]
async fn memory_stays_within_the_budget_while_more_than_it_is_appended() {
    let directory = tempfile::tempdir().unwrap();
    let options = EngineOptions { memory_limit_bytes: 64 << 20, generation_rows_max: 50_000, ..options() };
    let engine = open(directory.path(), options).await;
    let mut pending = std::collections::VecDeque::new();
    for n in 0..100 {
        pending.push_back(engine.append(&events(), &batch(&format!("{n}"), 10_000)).await.unwrap());
        if pending.len() > 4 {
            pending.pop_front().unwrap().wait().await.unwrap();
        }
    }
    for ack in pending {
        ack.wait().await.unwrap();
    }
    assert!(engine.budget().peak() <= 64 << 20, "peak {}", engine.budget().peak());
    engine.flush().await.unwrap();
    let rows: u64 =
        engine.snapshot(&events()).unwrap().files().iter().filter_map(|file| file.row_count).sum();
    assert_eq!(rows, 1_000_000);
}

#[tokio::test]
async fn a_flipped_byte_in_the_wal_stops_the_start_and_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), options()).await;
    engine.append(&events(), &batch("a", 10)).await.unwrap().wait().await.unwrap();
    let object = engine.store().list(&Path::from("wal")).await.unwrap().remove(0).location;
    copy_directory(directory.path(), copy.path());
    let file = copy.path().join(object.as_ref());
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[500] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let store = Store::open_local(copy.path()).await.unwrap();
    let clock = Arc::new(hexflight_engine::SystemClock);
    let error = hexflight_engine::Engine::open(store, options(), clock).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(object.as_ref()), "{error}");
}

#[tokio::test]
async fn a_check_names_every_bad_row_and_keeps_nothing() {
    use arrow::array::{ArrayRef, Float64Array, RecordBatch};
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), options()).await;
    let good = batch("a", 4);
    let mut columns = good.columns().to_vec();
    let bad: [ArrayRef; 2] = [
        Arc::new(Float64Array::from(vec![0.0, f64::NAN, 2.0, 3.0])),
        Arc::new(Float64Array::from(vec![0.0, 1.0, 2.0, 91.0])),
    ];
    columns.splice(3..5, bad);
    let bad = RecordBatch::try_new(good.schema(), columns).unwrap();

    let found = engine.check(&events(), &bad).await.unwrap();

    let found: Vec<_> = found.iter().map(|bad| (bad.row, bad.column.as_str())).collect();
    assert_eq!(found, [(1, "value"), (3, "latitude")]);
    assert_eq!(engine.check(&events(), &good).await.unwrap(), vec![]);
    assert!(rows(&engine, &engine.snapshot(&events()).unwrap()).await.is_empty());
    assert_eq!(engine.budget().used(), 0);
}
