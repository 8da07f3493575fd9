//! Bulk loads: all rows once, in sorted files of time buckets, whatever their order and however little memory there is; or none.

mod rows;
mod ends;
mod faults;

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{Float64Type, Int64Type, TimestampMicrosecondType},
};
use hexflight_engine::{
    ContentHash, Engine, EngineError, EngineOptions, Import, ImportSummary, OnBadRow, OnLoaded, ScalarBound,
    Snapshot, SourceId, column,
};
use object_store::{ObjectStoreExt, path::Path};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::support::{events, options};

const HOUR: i64 = 3_600_000_000;

/// A row: type, cell, device, timestamp; then value and metadata.
type Row = (String, Option<i64>, String, i64, i64, Option<String>);

/// Rows from which a time bucket has a file of its own.
const FULL_BUCKET_ROWS: usize = 65_536;

/// Pushes batches from two tasks at once.
async fn push_all(import: &Import, batches: &[RecordBatch]) {
    let pushes = batches.chunks(batches.len().div_ceil(2)).map(async |half| {
        for batch in half {
            assert_eq!(import.push(batch.clone(), OnBadRow::Refuse).await.unwrap(), vec![]);
        }
    });
    futures::future::join_all(pushes).await;
}

/// A load of one source, from its beginning to its end.
async fn load(engine: &Engine, batches: &[RecordBatch], n: u8) -> Result<ImportSummary, EngineError> {
    load_source(engine, batches, source(n), OnLoaded::Refuse).await
}

async fn load_source(
    engine: &Engine,
    batches: &[RecordBatch],
    source: SourceId,
    on_loaded: OnLoaded,
) -> Result<ImportSummary, EngineError> {
    let import = engine.begin_import(&events()).await?;
    for batch in batches {
        import.push(batch.clone(), OnBadRow::Refuse).await?;
    }
    import.commit(&[source], on_loaded).await
}

/// Names of all Parquet files that the store holds, whether a version names them or not.
async fn parquet_files(engine: &Engine) -> Vec<Path> {
    let objects = engine.store().list(&Path::from("tables")).await.unwrap();
    let names = objects.into_iter().map(|object| object.location);
    names.filter(|name| name.extension() == Some("parquet")).collect()
}

/// Names of the files of a snapshot, in the order of [`parquet_files`].
fn named_files(snapshot: &Snapshot) -> Vec<Path> {
    let mut names: Vec<Path> = snapshot.files().iter().map(|file| file.location.clone()).collect();
    names.sort_unstable();
    names
}

fn small(memory_mib: usize) -> EngineOptions {
    EngineOptions { memory_limit_bytes: memory_mib << 20, ..options() }
}

/// A source that its bytes alone identify.
pub(crate) fn source(n: u8) -> SourceId {
    SourceId::of_content(ContentHash([n; 32]))
}

/// The times in batches of any size, the other columns at random.
fn batches(times: &[i64], rng: &mut StdRng) -> Vec<RecordBatch> {
    let (mut batches, mut rest) = (vec![], times);
    while !rest.is_empty() {
        let (times, behind) = rest.split_at(rng.random_range(1..8_000).min(rest.len()));
        batches.push(batch_at(times, rng));
        rest = behind;
    }
    batches
}

/// One batch with events at these times.
pub(crate) fn batch_at_times(times: &[i64]) -> RecordBatch {
    batch_at(times, &mut StdRng::seed_from_u64(times.len() as u64))
}

fn batch_at(times: &[i64], rng: &mut StdRng) -> RecordBatch {
    let timestamps = TimestampMicrosecondArray::from(times.to_vec()).with_timezone("UTC");
    let numbers: Vec<u32> = times.iter().map(|_| rng.random()).collect();
    let kinds = ["temperature", "humidity", "a type with a long name"];
    // Most of a row: little data is then much for a small memory.
    let note = "x".repeat(200);
    let metadata = |n: &u32| {
        (!n.is_multiple_of(5)).then(|| format!(r#"{{"firmware":"1.4.{}","note":"{note}"}}"#, n % 7))
    };
    let degrees = |n: &u32| (!n.is_multiple_of(11)).then(|| f64::from(n % 80));
    let columns: Vec<(&str, ArrayRef)> = vec![
        (column::TIMESTAMP, Arc::new(timestamps)),
        (
            column::DEVICE_ID,
            Arc::new(StringArray::from_iter_values(
                numbers.iter().map(|n| format!("device-of-a-city-{}", n % 1_000)),
            )),
        ),
        (
            column::TYPE,
            Arc::new(StringArray::from_iter_values(numbers.iter().map(|n| kinds[*n as usize % 3]))),
        ),
        (column::VALUE, Arc::new(Float64Array::from_iter_values(numbers.iter().map(|n| f64::from(*n))))),
        (column::LATITUDE, Arc::new(Float64Array::from_iter(numbers.iter().map(degrees)))),
        (column::LONGITUDE, Arc::new(Float64Array::from_iter(numbers.iter().map(degrees)))),
        (column::METADATA, Arc::new(StringArray::from_iter(numbers.iter().map(metadata)))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// The files hold the rows of the batches, each once; each file is sorted and its statistics are right. Returns the rows that
/// each hour has in each file.
async fn check(engine: &Engine, snapshot: &Snapshot, batches: &[RecordBatch]) -> BTreeMap<i64, Vec<usize>> {
    let mut found = vec![];
    let mut buckets: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for file in snapshot.files() {
        let bytes = engine.store().object_store().get(&file.location).await.unwrap().bytes().await.unwrap();
        let mut rows = vec![];
        for batch in ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap() {
            rows.extend(to_rows(&batch.unwrap()));
        }
        assert_eq!(file.row_count, Some(rows.len() as u64));
        assert!(
            rows.is_sorted_by_key(|row| (row.0.clone(), row.1, row.2.clone(), row.3)),
            "{}",
            file.location
        );
        let times = &file.columns[column::TIMESTAMP];
        let micros = |bound: &Option<ScalarBound>| match bound {
            Some(ScalarBound::Micros(micros)) => Some(*micros),
            _ => None,
        };
        let (first, last) = (micros(&times.min).unwrap(), micros(&times.max).unwrap());
        // The log rounds to milliseconds, outwards.
        let (min, max) =
            (rows.iter().map(|row| row.3).min().unwrap(), rows.iter().map(|row| row.3).max().unwrap());
        assert!((min - 1_000..=min).contains(&first), "{times:?}");
        assert!((max..=max + 2_000).contains(&last), "{times:?}");
        let cells = &file.columns[column::H3];
        assert_eq!(cells.null_count, Some(rows.iter().filter(|row| row.1.is_none()).count() as u64));
        assert_eq!(cells.max, rows.iter().filter_map(|row| row.1).max().map(ScalarBound::Int));
        assert_eq!(
            file.columns[column::TYPE].min,
            rows.iter().map(|row| ScalarBound::Text(row.0.clone())).next()
        );
        let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
        rows.iter().for_each(|row| *counts.entry(row.3.div_euclid(HOUR)).or_default() += 1);
        counts.iter().for_each(|(bucket, count)| buckets.entry(*bucket).or_default().push(*count));
        found.extend(rows);
    }
    let strip = |row: Row| (row.0, row.1.is_some(), row.2, row.3, row.4, row.5);
    let mut found: Vec<_> = found.into_iter().map(strip).collect();
    let mut expected: Vec<_> = batches.iter().flat_map(input_rows).map(strip).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found.len(), expected.len());
    assert!(found == expected, "the rows differ");
    buckets
}

fn to_rows(batch: &RecordBatch) -> Vec<Row> {
    let cells = batch.column_by_name(column::H3).unwrap().as_primitive::<Int64Type>();
    let mut rows = input_rows(batch);
    for (row, cell) in rows.iter_mut().zip(cells) {
        assert_eq!(row.1.is_some(), cell.is_some());
        row.1 = cell;
    }
    rows
}

/// As [`to_rows`], with any cell for a row that has a location.
fn input_rows(batch: &RecordBatch) -> Vec<Row> {
    let text = |name| {
        let array = batch.column_by_name(name).unwrap();
        let array = arrow::compute::cast(array, &arrow::datatypes::DataType::Utf8).unwrap();
        array.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>()
    };
    let (types, devices, metadata) = (text(column::TYPE), text(column::DEVICE_ID), text(column::METADATA));
    let number = |name| batch.column_by_name(name).unwrap().as_primitive::<Float64Type>();
    let (values, latitudes) = (number(column::VALUE), number(column::LATITUDE));
    let times = batch.column_by_name(column::TIMESTAMP).unwrap().as_primitive::<TimestampMicrosecondType>();
    (0..batch.num_rows())
        .map(|row| {
            let cell = (!latitudes.is_null(row)).then_some(0);
            (
                types[row].clone().unwrap(),
                cell,
                devices[row].clone().unwrap(),
                times.value(row),
                values.value(row) as i64,
                metadata[row].clone(),
            )
        })
        .collect()
}
