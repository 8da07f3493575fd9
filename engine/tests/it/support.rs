//! Makes batches whose rows tell where they came from, opens engines, and reads snapshots back.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use arrow::{
    array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::Float64Type,
};
use hexflight_engine::{Engine, EngineError, EngineOptions, Snapshot, Store, SystemClock, TableName, column};
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::faulty_store::FaultyStore;

/// First timestamp of all batches: 2026-01-01T00:00:00Z in µs.
pub(crate) const START: i64 = 1_767_225_600_000_000;

/// How often to look for what others do.
const LOOKS_MAX: u32 = 6_000;
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// Rows by the batch they were sent in: device_id names the batch, value the row.
pub(crate) type Rows = BTreeMap<String, Vec<i64>>;

pub(crate) fn events() -> TableName {
    TableName::new("events")
}

/// Small limits, so that little data takes every path; no flush unless asked or full.
pub(crate) fn options() -> EngineOptions {
    EngineOptions {
        memory_limit_bytes: 256 << 20,
        generation_rows_max: 1_000,
        flush_interval: Duration::from_hours(1),
        reserve_bytes: Some(0),
        ..EngineOptions::default()
    }
}

/// Waits for the tasks of an engine that was dropped: they hold the lock.
pub(crate) async fn open(directory: &Path, options: EngineOptions) -> Arc<Engine> {
    let store = until("the lock is free", async || match Store::open_local(directory).await {
        Err(EngineError::Locked { .. }) => None,
        store => Some(store.unwrap()),
    });
    Engine::open(store.await, options, Arc::new(SystemClock)).await.unwrap()
}

/// Opens an engine over a store that may fail, as often as it takes: an operator would start it again.
pub(crate) async fn open_over(store: FaultyStore, options: EngineOptions) -> Arc<Engine> {
    let store = Store::new(Arc::new(store));
    let open = async || Engine::open(store.clone(), options.clone(), Arc::new(SystemClock)).await.ok();
    until("the engine opens", open).await
}

/// Flushes until that is done.
pub(crate) async fn flush_until_done(engine: &Engine) {
    until("a flush is done", async || engine.flush().await.ok()).await;
}

/// Looks, or tries, until there is something.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let mut looks = 0;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        looks += 1;
        assert!(looks < LOOKS_MAX, "not after {:?}: {what}", LOOK_PAUSE * LOOKS_MAX);
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

/// `rows` rows of the batch called `name`; every seventh lies hours in the past.
pub(crate) fn batch(name: &str, rows: i64) -> RecordBatch {
    batch_at(name, rows, |row| {
        START + row * 1_000 - if row % 7 == 0 { (row % 50) * 3_600_000_000 } else { 0 }
    })
}

/// The same within one hour.
pub(crate) fn batch_of_an_hour(name: &str, rows: i64) -> RecordBatch {
    batch_at(name, rows, |row| START + row * 1_000)
}

fn batch_at(name: &str, rows: i64, time: impl Fn(i64) -> i64) -> RecordBatch {
    let numbers = || 0..rows;
    let timestamps = TimestampMicrosecondArray::from_iter_values(numbers().map(time)).with_timezone("UTC");
    let kinds =
        StringArray::from_iter_values(numbers().map(|row| ["temperature", "humidity"][row as usize % 2]));
    let columns: Vec<(&str, ArrayRef)> = vec![
        (column::TIMESTAMP, Arc::new(timestamps)),
        (column::DEVICE_ID, Arc::new(StringArray::from_iter_values(numbers().map(|_| name)))),
        (column::TYPE, Arc::new(kinds)),
        (column::VALUE, Arc::new(Float64Array::from_iter_values(numbers().map(|row| row as f64)))),
        (column::LATITUDE, Arc::new(Float64Array::from_iter_values(numbers().map(|row| (row % 90) as f64)))),
        (
            column::LONGITUDE,
            Arc::new(Float64Array::from_iter_values(numbers().map(|row| (row % 180) as f64))),
        ),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Every row that a snapshot holds, in memory and in files.
pub(crate) async fn rows(engine: &Engine, snapshot: &Snapshot) -> Rows {
    let mut rows = Rows::new();
    for batch in snapshot.memory() {
        collect(batch.batch(), &mut rows);
    }
    for file in snapshot.files() {
        let bytes = engine.store().object_store().get(&file.location).await.unwrap().bytes().await.unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
        let before: usize = rows.values().map(Vec::len).sum();
        for batch in reader {
            collect(&batch.unwrap(), &mut rows);
        }
        let after: usize = rows.values().map(Vec::len).sum();
        assert_eq!(Some((after - before) as u64), file.row_count);
    }
    rows.values_mut().for_each(|values| values.sort_unstable());
    rows
}

/// What `rows` returns for whole batches of these names and sizes.
pub(crate) fn expected<'a>(batches: impl IntoIterator<Item = (&'a str, i64)>) -> Rows {
    batches.into_iter().map(|(name, rows)| (name.to_owned(), (0..rows).collect())).collect()
}

/// Copies what lies on the disk: what a crash leaves when everything written had reached it.
pub(crate) fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn collect(batch: &RecordBatch, rows: &mut Rows) {
    let devices = batch.column_by_name(column::DEVICE_ID).unwrap();
    let devices = arrow::compute::cast(devices, &arrow::datatypes::DataType::Utf8).unwrap();
    let devices = devices.as_string::<i32>();
    let values = batch.column_by_name(column::VALUE).unwrap().as_primitive::<Float64Type>();
    for row in 0..devices.len() {
        rows.entry(devices.value(row).to_owned()).or_default().push(values.value(row) as i64);
    }
}

/// What the environment says, for long forms.
pub(crate) fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
