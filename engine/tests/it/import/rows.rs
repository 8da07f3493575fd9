//! What is loaded: every row, in files as they should be, within the memory that a load may use.

use arrow::{array::RecordBatch, compute::concat_batches};
use hexflight_engine::{ErrorKind, OnBadRow, OnLoaded, column};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{FULL_BUCKET_ROWS, HOUR, batch_at, batches, check, load, push_all, small, source};
use crate::support::{START, events, open};

/// Slack of a load's memory: the batches on their way, and what is gathered for one row group. **Units**: bytes.
const SLACK_BYTES: usize = 12 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_is_loaded_once_whatever_the_order_and_the_memory() {
    // Little memory, rows over hours, over centuries, over a second, over an instant; and memory for all of them.
    let hour = |hours: i64| hours * HOUR;
    for (memory_mib, span, rows) in [
        (64, hour(30), 70_000),
        (64, hour(300_000), 60_000),
        (64, 1_000_000, 40_000),
        (64, 1, 40_000),
        (1_024, hour(30), 30_000),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let engine = open(directory.path(), small(memory_mib)).await;
        let mut rng = StdRng::seed_from_u64(span as u64);
        let times = (0..rows).map(|_| START - rng.random_range(0..span)).collect::<Vec<_>>();
        let batches = batches(&times, &mut rng);
        let import = engine.begin_import(&events()).await.unwrap();
        push_all(&import, &batches).await;
        let spilled = import.progress().spilled_bytes;
        assert_eq!(spilled > 0, memory_mib == 64, "{spilled} bytes spilled");
        let summary = import.commit(&[source(1)], OnLoaded::Refuse).await.unwrap();
        let snapshot = engine.snapshot(&events()).unwrap();
        assert_eq!((summary.rows, summary.version), (rows as u64, 1));
        assert_eq!(summary.files, snapshot.files().len());
        assert_eq!(summary.bytes, snapshot.files().iter().map(|file| file.size_bytes).sum::<u64>());
        check(&engine, &snapshot, &batches).await;
        let peak = engine.budget().peak();
        assert!(peak <= (memory_mib << 20) / 4 + SLACK_BYTES, "{peak} bytes were in use at once");
        engine.shutdown().await.unwrap();
        assert_eq!(engine.budget().used(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_bucket_is_one_file_although_its_rows_were_spilled() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), small(384)).await;
    let mut rng = StdRng::seed_from_u64(1);
    // Two full hours and two days of thin ones.
    let full = (0..150_000).map(|n| START + n % 2 * HOUR + rng.random_range(0..HOUR)).collect::<Vec<_>>();
    let thin = (0..10_000).map(|_| START - rng.random_range(0..48 * HOUR)).collect::<Vec<_>>();
    let mut batches = batches(&full, &mut rng);
    batches.extend(super::batches(&thin, &mut rng));
    let import = engine.begin_import(&events()).await.unwrap();
    push_all(&import, &batches).await;
    assert!(import.progress().spilled_bytes > 0);
    let summary = import.commit(&[], OnLoaded::Refuse).await.unwrap();
    let buckets = check(&engine, &engine.snapshot(&events()).unwrap(), &batches).await;
    let full: Vec<_> =
        buckets.values().filter(|files| files.iter().sum::<usize>() >= FULL_BUCKET_ROWS).collect();
    assert!(full.len() == 2 && full.iter().all(|files| files.len() == 1), "{full:?}");
    assert_eq!(summary.files, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_in_order_of_time_are_never_spilled() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), small(64)).await;
    let mut rng = StdRng::seed_from_u64(1);
    let rows = 70_000_i64;
    // Two in a hundred come up to a day late.
    let late = |n: i64, rng: &mut StdRng| if n % 50 == 0 { rng.random_range(0..24 * HOUR) } else { 0 };
    let times = (0..rows).map(|n| START + n * 40 * HOUR / rows - late(n, &mut rng)).collect::<Vec<_>>();
    let batches = batches(&times, &mut rng);
    let import = engine.begin_import(&events()).await.unwrap();
    for batch in &batches {
        import.push(batch.clone(), OnBadRow::Refuse).await.unwrap();
    }
    let progress = import.progress();
    assert_eq!((progress.rows, progress.spilled_bytes), (rows as u64, 0));
    assert!(progress.rows_written > rows as u64 / 2 && progress.files > 2, "{progress:?}");
    import.commit(&[source(1)], OnLoaded::Refuse).await.unwrap();
    check(&engine, &engine.snapshot(&events()).unwrap(), &batches).await;
    let peak = engine.budget().peak();
    assert!(peak <= (16 << 20) + SLACK_BYTES, "{peak} bytes were in use at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_one_day_each_in_order_are_not_taken_for_rows_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), small(64)).await;
    let mut rng = StdRng::seed_from_u64(1);
    let file = |rng: &mut StdRng| {
        let times = (0..4_000).map(|n| START + n * 24 * HOUR / 4_000).collect::<Vec<_>>();
        batches(&times, rng)
    };
    let batches: Vec<RecordBatch> = (0..20).flat_map(|_| file(&mut rng)).collect();
    let import = engine.begin_import(&events()).await.unwrap();
    for batch in &batches {
        import.push(batch.clone(), OnBadRow::Refuse).await.unwrap();
    }
    assert_eq!(import.progress().files, 0);
    import.commit(&[source(1)], OnLoaded::Refuse).await.unwrap();
    // Written as they came, every hour would lie in several.
    let hours = check(&engine, &engine.snapshot(&events()).unwrap(), &batches).await;
    assert!(hours.len() == 24 && hours.values().all(|files| files.len() == 1), "{hours:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_any_size_make_files_of_healthy_size() {
    let mut rng = StdRng::seed_from_u64(1);
    let times = (0..25_000).map(|_| START - rng.random_range(0..10 * HOUR)).collect::<Vec<_>>();
    let whole = batch_at(&times, &mut rng);
    for batch_rows in [37, 5_000, 25_000] {
        let directory = tempfile::tempdir().unwrap();
        let engine = open(directory.path(), small(64)).await;
        let batches: Vec<RecordBatch> = (0..times.len())
            .step_by(batch_rows)
            .map(|first| whole.slice(first, batch_rows.min(times.len() - first)))
            .collect();
        let files = load(&engine, &batches, 1).await.unwrap().files;
        assert!(files <= 4, "{files} files of batches of {batch_rows} rows");
        check(&engine, &engine.snapshot(&events()).unwrap(), std::slice::from_ref(&whole)).await;
    }
}

#[tokio::test]
async fn bad_rows_are_skipped_and_named_or_refuse_their_batch() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), small(64)).await;
    let mut rng = StdRng::seed_from_u64(1);
    let good = batch_at(&[START, START + 1], &mut rng);
    let bad = batch_at(&[-1], &mut rng);
    let mixed = concat_batches(&good.schema(), [&good, &bad, &good]).unwrap();
    let import = engine.begin_import(&events()).await.unwrap();
    let refused = import.push(mixed.clone(), OnBadRow::Refuse).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    // Nothing of it was kept, and the load goes on.
    let skipped = import.push(mixed, OnBadRow::Skip).await.unwrap();
    assert_eq!(
        skipped.iter().map(|bad| (bad.row, bad.column.as_str())).collect::<Vec<_>>(),
        [(2, column::TIMESTAMP)]
    );
    assert_eq!(import.push(bad.clone(), OnBadRow::Skip).await.unwrap().len(), 1);
    assert_eq!(import.push(bad.slice(0, 0), OnBadRow::Refuse).await.unwrap(), vec![]);
    let summary = import.commit(&[source(1)], OnLoaded::Refuse).await.unwrap();
    assert_eq!((summary.rows, summary.files), (4, 1));
    check(&engine, &engine.snapshot(&events()).unwrap(), &[good.clone(), good]).await;
}
