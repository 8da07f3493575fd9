//! A rollup says of a file what its rows say, read group by group; and a damaged one says nothing.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the numbers of tests are small"
)]

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringViewArray,
        TimestampMicrosecondArray, new_null_array,
    },
    datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType},
};
use object_store::{ObjectStoreExt, PutPayload, memory::InMemory, path::Path};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{DeviceRollup, Rollup, RollupBuilder, Sums, cells, minutes::MINUTE_MICROS};
use crate::{
    EngineError,
    delta::{DataFile, RollupObject},
    schema::{TableSpec, column},
    segment,
    store::Store,
};

/// 2026-01-01T00:00:00Z in µs.
const START: i64 = 1_767_225_600_000_000;
const HOUR: i64 = 3_600_000_000;

#[tokio::test]
async fn groups_are_what_the_rows_add_up_to() {
    for seed in 0..6 {
        let batch = segment(20_000, 40, seed);
        let (store, file) = stored(&batch, 1_777).await;
        let rollup = Rollup::read(&store, &file).await.unwrap().unwrap();
        let resolution = rollup.cell_resolution().unwrap();
        let rows: u32 = rollup.types().map(|of_type| of_type.rows().len() as u32).sum();
        assert_eq!(rows, 20_000);
        for of_type in rollup.types() {
            let expected = Naive::of(&batch, of_type.name(), resolution);
            assert_eq!(of_type.rows(), expected.rows);
            assert_eq!(of_type.time(), expected.time);
            assert_close(of_type.total(), &expected.total);
            let minutes = of_type.minutes(&store).await.unwrap().unwrap();
            assert_groups(minutes.iter().map(|group| (group.minute, group.sums)), &expected.minutes);
            assert_eq!(of_type.device_floor(), Some(1));
            let devices = of_type.devices(&store).await.unwrap().unwrap().groups;
            assert_groups(devices.into_iter().map(|group| (group.device, group.sums)), &expected.devices);
            let groups = of_type.cells(&store).await.unwrap().unwrap();
            assert_groups(groups.iter().map(|group| (group.cell, group.sums)), &expected.cells);
            let mut next = of_type.rows().start;
            for group in groups {
                assert_eq!(group.first_row, next);
                next += group.sums.count as u32;
                assert_bounds(&batch, &group);
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_much_smaller_than_the_rows_is_left_out() {
    let (store, file) = stored(&segment(4_000, 3_000, 1), 4_000).await;
    let rollup = Rollup::read(&store, &file).await.unwrap().unwrap();
    for of_type in rollup.types() {
        assert_eq!(of_type.device_floor(), Some(16));
        assert_eq!(of_type.devices(&store).await.unwrap().unwrap(), DeviceRollup::default());
        assert!(of_type.has_minutes());
    }
    assert!(build(&segment(1_000, 40, 1), 1_000).is_none());
}

#[tokio::test]
async fn of_many_devices_those_with_the_most_rows_are_listed() {
    let batch = skewed(60_000, 4_000.0, 5);
    let (store, file) = stored(&batch, 7_001).await;
    let rollup = Rollup::read(&store, &file).await.unwrap().unwrap();
    for of_type in rollup.types() {
        let floor = u64::from(of_type.device_floor().unwrap());
        let rows = of_type.total().count;
        let expected = Naive::of(&batch, of_type.name(), 0).devices;
        let large: BTreeMap<_, _> = expected.into_iter().filter(|(_, sums)| sums.count >= floor).collect();
        assert!(
            floor > 16 && large.len() as u64 <= rows / 256 && large.len() > 20,
            "{floor}, {}",
            large.len()
        );
        let devices = of_type.devices(&store).await.unwrap().unwrap().groups;
        assert_groups(devices.into_iter().map(|group| (group.device, group.sums)), &large);
    }
}

#[tokio::test]
async fn an_index_names_every_block_of_a_device_and_few_others() {
    let batch = skewed(60_000, 300.0, 6);
    let (store, file) = stored(&batch, 7_001).await;
    let rollup = Rollup::read(&store, &file).await.unwrap().unwrap();
    let names = batch[column::DEVICE_ID].as_string_view();
    let (mut held, mut named, mut strangers) = (0, 0, 0);
    for of_type in rollup.types() {
        let index = of_type.devices(&store).await.unwrap().unwrap().index.unwrap();
        let mut rows_by_device: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for row in of_type.rows() {
            let rows = rows_by_device.entry(names.value(row as usize)).or_default();
            rows.push(row - of_type.rows().start);
        }
        for (device, rows) in rows_by_device {
            let found = index.rows_of(device);
            assert!(rows.iter().all(|row| found.iter().any(|range| range.contains(row))), "{device}");
            assert!(found.windows(2).all(|pair| pair[0].end < pair[1].start));
            assert!(found.iter().all(|range| range.end as usize <= of_type.rows().len()));
            let blocks: std::collections::BTreeSet<_> = rows.iter().map(|row| row / 1_024).collect();
            held += blocks.len();
            named += found.iter().map(|range| range.len().div_ceil(1_024)).sum::<usize>();
        }
        strangers += (0..1_000).filter(|n| !index.rows_of(&format!("stranger-{n}")).is_empty()).count();
    }
    assert!(named < held + held / 10, "{named} blocks named for {held}");
    assert!(strangers < 150, "{strangers} of 4,000 strangers were named");
}

#[tokio::test]
async fn damage_is_found_wherever_it_is() {
    let batch = segment(3_000, 20, 3);
    let bytes = build(&batch, 3_000).unwrap();
    for place in (0..bytes.len()).step_by(7) {
        let mut damaged = bytes.to_vec();
        damaged[place] ^= 0x20;
        let (store, file) = put(damaged.into()).await;
        let all = async {
            let Some(rollup) = Rollup::read(&store, &file).await? else { return Ok(()) };
            for of_type in rollup.types() {
                of_type.minutes(&store).await?;
                of_type.cells(&store).await?;
                of_type.devices(&store).await?;
            }
            Ok::<_, EngineError>(())
        };
        assert!(matches!(all.await, Err(EngineError::Corrupt { .. })), "byte {place}");
    }
}

#[tokio::test]
async fn a_rollup_that_is_gone_is_none() {
    let (store, file) = stored(&segment(3_000, 20, 3), 3_000).await;
    store.delete(&file.rollup.as_ref().unwrap().location).await.unwrap();
    assert!(Rollup::read(&store, &file).await.unwrap().is_none());
}

#[test]
fn a_parent_is_what_h3_calls_it() {
    for (latitude, longitude) in [(52.5, 13.4), (-33.9, 151.2), (0.0, 180.0), (89.99, 0.0), (-89.99, 7.0)] {
        let cell = h3o::LatLng::new(latitude, longitude).unwrap().to_cell(h3o::Resolution::Nine);
        for resolution in 0..=9 {
            let expected = cell.parent(h3o::Resolution::try_from(resolution).unwrap()).unwrap();
            assert_eq!(
                cells::cell_parent(u64::from(cell).cast_signed(), resolution).cast_unsigned(),
                u64::from(expected)
            );
        }
    }
}

/// What one type's rows add up to, found row by row.
#[derive(Default)]
struct Naive {
    rows: std::ops::Range<u32>,
    time: (i64, i64),
    total: Sums,
    minutes: BTreeMap<u32, Sums>,
    devices: BTreeMap<String, Sums>,
    cells: BTreeMap<i64, Sums>,
}

impl Naive {
    fn of(batch: &RecordBatch, name: &str, resolution: u8) -> Self {
        let mut naive = Self {
            rows: std::ops::Range { start: u32::MAX, end: 0 },
            time: (i64::MAX, i64::MIN),
            ..Self::default()
        };
        let types = batch[column::TYPE].as_string_view();
        for row in (0..batch.num_rows()).filter(|row| types.value(*row) == name) {
            let time = batch[column::TIMESTAMP].as_primitive::<TimestampMicrosecondType>().value(row);
            let value = batch[column::VALUE].as_primitive::<Float64Type>().value(row);
            let cells_of_rows = batch[column::H3].as_primitive::<Int64Type>();
            let cell = if cells_of_rows.is_null(row) { 0 } else { cells_of_rows.value(row) };
            let device = batch[column::DEVICE_ID].as_string_view().value(row).to_owned();
            naive.rows = naive.rows.start.min(row as u32)..row as u32 + 1;
            naive.time = (naive.time.0.min(time), naive.time.1.max(time));
            naive.total.add(value);
            naive.minutes.entry((time / MINUTE_MICROS) as u32).or_default().add(value);
            naive.devices.entry(device).or_default().add(value);
            naive.cells.entry(cells::cell_parent(cell, resolution)).or_default().add(value);
        }
        naive
    }
}

fn assert_groups<K: Ord + std::fmt::Debug>(
    found: impl Iterator<Item = (K, Sums)>,
    expected: &BTreeMap<K, Sums>,
) {
    let found: Vec<_> = found.collect();
    assert!(found.iter().map(|group| &group.0).eq(expected.keys()), "{found:?}");
    for ((_, found), expected) in found.iter().zip(expected.values()) {
        assert_close(found, expected);
    }
}

fn assert_close(found: &Sums, expected: &Sums) {
    assert_eq!((found.count, found.min, found.max), (expected.count, expected.min, expected.max));
    assert!((found.sum - expected.sum).abs() < 1e-9 * 1e6, "{found:?} {expected:?}");
}

fn assert_bounds(batch: &RecordBatch, group: &super::CellGroup) {
    let [south, north, west, east] = group.bounds.map(f64::from);
    let latitudes = batch[column::LATITUDE].as_primitive::<Float64Type>();
    let longitudes = batch[column::LONGITUDE].as_primitive::<Float64Type>();
    for row in group.first_row as usize..group.first_row as usize + group.sums.count as usize {
        if latitudes.is_null(row) {
            assert!(group.cell == super::NO_CELL && south.is_nan());
            continue;
        }
        assert!((south..=north).contains(&latitudes.value(row)));
        assert!((west..=east).contains(&longitudes.value(row)));
    }
}

/// One sorted segment of four types within an hour, some rows without a location. Devices have equally many rows.
fn segment(rows: usize, devices: usize, seed: u64) -> RecordBatch {
    segment_of(rows, seed, |rng| rng.random_range(0..devices))
}

/// The same, with devices of which the first have most rows.
fn skewed(rows: usize, devices: f64, seed: u64) -> RecordBatch {
    segment_of(rows, seed, |rng| devices.powf(rng.random_range(0.0..1.0)) as usize)
}

fn segment_of(rows: usize, seed: u64, device: impl Fn(&mut StdRng) -> usize) -> RecordBatch {
    let mut rng = StdRng::seed_from_u64(seed);
    let spec = TableSpec::events();
    let positions: Vec<Option<(f64, f64)>> = (0..rows)
        .map(|_| {
            let located = rng.random_bool(0.9);
            located.then(|| {
                let city = f64::from(rng.random_range(0..4_u8)) * 17.0;
                (city + rng.random_range(0.0..0.1), city * 2.0 + rng.random_range(0.0..0.1))
            })
        })
        .collect();
    let cell = |(latitude, longitude): (f64, f64)| {
        let place = h3o::LatLng::new(latitude, longitude).unwrap();
        u64::from(place.to_cell(h3o::Resolution::Nine)).cast_signed()
    };
    let times = (0..rows).map(|_| START + rng.random_range(0..HOUR)).collect::<Vec<_>>();
    let kinds = (0..rows).map(|_| ["a", "b", "ünï", "d"][rng.random_range(0..4_usize)]).collect::<Vec<_>>();
    let names = (0..rows).map(|_| format!("device-{:03}", device(&mut rng))).collect::<Vec<_>>();
    let values = (0..rows).map(|_| rng.random_range(-50.0..50.0)).collect::<Vec<f64>>();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")),
        Arc::new(StringViewArray::from_iter_values(names)),
        Arc::new(StringViewArray::from_iter_values(kinds)),
        Arc::new(Float64Array::from(values)),
        Arc::new(positions.iter().map(|place| place.map(|place| place.0)).collect::<Float64Array>()),
        Arc::new(positions.iter().map(|place| place.map(|place| place.1)).collect::<Float64Array>()),
        Arc::new(positions.iter().map(|place| place.map(cell)).collect::<Int64Array>()),
        new_null_array(&DataType::Utf8View, rows),
    ];
    let batch = RecordBatch::try_new(Arc::clone(spec.query_schema()), columns).unwrap();
    let mut segments = segment::segments(&spec, &[&batch]).unwrap();
    assert_eq!(segments.len(), 1);
    segments.remove(0)
}

/// Pushes a segment in pieces.
fn build(batch: &RecordBatch, piece_rows: usize) -> Option<bytes::Bytes> {
    let mut builder = RollupBuilder::default();
    for start in (0..batch.num_rows()).step_by(piece_rows) {
        builder.push(&batch.slice(start, piece_rows.min(batch.num_rows() - start)));
    }
    builder.finish().unwrap().map(|rollup| rollup.bytes.into())
}

async fn stored(batch: &RecordBatch, piece_rows: usize) -> (Store, DataFile) {
    put(build(batch, piece_rows).unwrap()).await
}

async fn put(bytes: bytes::Bytes) -> (Store, DataFile) {
    let disk = Arc::new(InMemory::new());
    let location = Path::from("a.rollup");
    let rollup = Some(RollupObject {
        location: location.clone(),
        size_bytes: bytes.len() as u64,
        directory_crc32c: None,
    });
    disk.put(&location, PutPayload::from(bytes)).await.unwrap();
    let file = DataFile {
        location: Path::from("a.parquet"),
        size_bytes: 1,
        row_count: None,
        modified_ms: 0,
        columns: BTreeMap::new(),
        rollup,
        checksums: None,
    };
    (Store::new(disk), file)
}
