//! What only the inside can bring about: a scratch file on a full disk, and decisions on chosen partitions.

use std::{fs::OpenOptions, sync::Arc, time::Duration};

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};

use super::{
    part::{Held, bytes_of},
    partitions::{Partitions, Step},
    plan::Limits,
    scratch::Scratch,
    spread::{Spread, spread},
};
use crate::{
    Engine, EngineOptions, ErrorKind, OnBadRow, OnLoaded, Store, SystemClock, TableName,
    budget::Budget,
    ingest::Normaliser,
    schema::{TableSpec, column},
};

const START: i64 = 1_767_225_600_000_000;
const HOUR: i64 = 3_600_000_000;

#[tokio::test]
async fn a_full_disk_fails_the_load_and_leaves_ingest_alone() {
    let directory = tempfile::tempdir().unwrap();
    let options = EngineOptions { memory_limit_bytes: 64 << 20, ..EngineOptions::default() };
    let store = Store::open_local(directory.path()).await.unwrap();
    let engine = Engine::open(store, options, Arc::new(SystemClock)).await.unwrap();
    let table = TableName::new("events");
    let import = engine.begin_import(&table).await.unwrap();
    let full = OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
    *import.load.scratch.lock() = Some(Arc::new(Scratch::over(full, directory.path())));
    let batch = batch(&(0..20_000).map(|n| START + n * 7_919 % 20_000 * HOUR / 1_000).collect::<Vec<_>>());
    let refused = loop {
        if let Err(error) = import.push(batch.clone(), OnBadRow::Refuse).await {
            break error;
        }
    };
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(refused.to_string().contains("No space left"), "{refused}");
    let refused = import.commit(&[], OnLoaded::Refuse).await.unwrap_err();
    assert!(refused.to_string().contains("No space left"), "{refused}");
    engine.append(&table, &batch.slice(0, 10)).await.unwrap().wait().await.unwrap();
    engine.shutdown().await.unwrap();
    let files =
        engine.snapshot(&table).unwrap().files().iter().filter_map(|file| file.row_count).sum::<u64>();
    assert_eq!(files, 10);
    assert_eq!(engine.budget().used(), 0);
}

#[test]
fn cold_buckets_are_written_whole_and_the_newest_stays() {
    let limits = Limits::of(64 << 20);
    let mut partitions = Partitions::new(HOUR);
    let mut written = 0;
    for n in 0..40 {
        // Four batches an hour.
        let times: Vec<i64> = (0..30_000).map(|row| START + n * HOUR / 4 + row * HOUR / 4 / 30_000).collect();
        partitions.take(spread_over(&times, &partitions, &limits), &limits);
        match partitions.next_step(&limits, false, true) {
            None => {}
            Some(Step::Write(units)) => written += units.iter().map(|unit| unit.rows).sum::<usize>(),
            Some(Step::Spill(_)) => panic!("rows in order are not spilled"),
        }
        assert!(written.is_multiple_of(120_000), "{written} rows are not whole hours");
    }
    assert!(written >= 7 * 120_000, "{written}");
}

#[test]
fn rows_in_no_order_are_spilled_at_half_of_the_memory() {
    let limits = Limits::of(64 << 20);
    let mut partitions = Partitions::new(HOUR);
    let spilled = loop {
        let times: Vec<i64> = (0..30_000).map(|n| START + n * 7_919 % 30_000 * HOUR / 300).collect();
        partitions.take(spread_over(&times, &partitions, &limits), &limits);
        match partitions.next_step(&limits, false, true) {
            None => assert!(partitions.memory_bytes() < limits.rows_bytes / 2),
            Some(Step::Spill(spilled)) => break spilled,
            Some(Step::Write(_)) => panic!("no partition is cold"),
        }
    };
    let bytes: usize = spilled.iter().flat_map(|(_, pieces)| pieces).map(|piece| piece.bytes).sum();
    assert!(bytes >= limits.rows_bytes / 2 && partitions.memory_bytes() == 0);
    // What does not go elsewhere is spilled when it is all there is and somebody waits.
    let times = vec![START; 1_000];
    partitions.take(spread_over(&times, &partitions, &limits), &limits);
    assert!(partitions.next_step(&limits, false, true).is_none());
    assert!(partitions.next_step(&limits, true, false).is_none());
    assert!(matches!(partitions.next_step(&limits, true, true), Some(Step::Spill(_))));
}

fn spread_over(times: &[i64], partitions: &Partitions, limits: &Limits) -> Spread {
    let spec = Arc::new(TableSpec::events());
    let normaliser = Normaliser::new(spec, Duration::from_hours(1), Arc::new(SystemClock));
    let rows = normaliser.normalise(&batch(times)).unwrap();
    let held = Held::of_budgets(&Budget::new(1 << 30), bytes_of(&rows));
    spread(&rows, partitions.width, limits.part_bytes(), held).unwrap()
}

fn batch(times: &[i64]) -> RecordBatch {
    let text =
        |text: &'static str| Arc::new(StringArray::from_iter_values(times.iter().map(|_| text))) as ArrayRef;
    let times_array = TimestampMicrosecondArray::from(times.to_vec()).with_timezone("UTC");
    RecordBatch::try_from_iter([
        (column::TIMESTAMP, Arc::new(times_array) as ArrayRef),
        (column::DEVICE_ID, text("a device with a name of some length")),
        (column::TYPE, text("temperature")),
        (column::VALUE, Arc::new(Float64Array::from(vec![1.5; times.len()]))),
    ])
    .unwrap()
}
