//! Sealing against a naive model: the same rows, sorted, one segment per group of time buckets.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
    },
    datatypes::{Float64Type, Int64Type, TimestampMicrosecondType},
};
use parquet::{
    arrow::arrow_reader::ParquetRecordBatchReaderBuilder,
    file::metadata::{PageIndexPolicy, ParquetMetaDataReader},
};
use proptest::prelude::*;

use super::{Checksums, encode, segments};
use crate::schema::TableSpec;

/// A row in the order of the sort key: type, cell, device, timestamp; then value and metadata.
type Row = (String, Option<i64>, String, i64, i64, Option<String>);

proptest! {
    #[test]
    fn segments_hold_the_same_rows_sorted(batches in prop::collection::vec(prop::collection::vec(row(), 1..60), 1..6)) {
        let spec = TableSpec::events();
        let input: Vec<RecordBatch> = batches.iter().map(|rows| to_batch(&spec, rows)).collect();
        let sealed = segments(&spec, &input.iter().collect::<Vec<_>>()).unwrap();
        let mut found = vec![];
        for segment in &sealed {
            let rows = to_rows(segment);
            let keys: Vec<_> = rows.iter().map(|row| (&row.0, row.1, &row.2, row.3)).collect();
            prop_assert!(keys.is_sorted(), "{keys:?}");
            found.extend(rows);
        }
        let mut expected: Vec<Row> = batches.concat();
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_file_holds_what_was_encoded(rows in prop::collection::vec(row(), 1..200)) {
        let spec = TableSpec::events();
        let sealed = segments(&spec, &[&to_batch(&spec, &rows)]).unwrap();
        let mut read = vec![];
        for segment in &sealed {
            let bytes = encode(&spec, segment.num_rows(), [Ok(segment.clone())]).unwrap();
            for batch in ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap() {
                read.extend(to_rows(&batch.unwrap()));
            }
        }
        prop_assert_eq!(read, sealed.iter().flat_map(to_rows).collect::<Vec<_>>());
    }
}

/// What a reader asks for is never more than it wants: pages, dictionaries, chunks, filters, indexes, the footer.
#[test]
fn checksums_are_of_what_readers_ask_for() {
    let spec = TableSpec::events();
    let rows: Vec<Row> = (0..20_000)
        .map(|number| {
            (
                String::from("type"),
                Some(number % 900),
                format!("device-{}", number % 70),
                number,
                number,
                None,
            )
        })
        .collect();
    let batch = to_batch(&spec, &rows);
    let file = encode(&spec, rows.len(), [Ok(batch)]).unwrap();
    let checksums = Checksums::of(&file).unwrap();
    let metadata = ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Required)
        .parse_and_finish(&file)
        .unwrap();
    let mut asked = vec![];
    let mut ask = |offset: Option<i64>, length: Option<i32>| {
        let start = u64::try_from(offset.unwrap()).unwrap();
        asked.push(start..start + u64::try_from(length.unwrap()).unwrap());
    };
    for (column, pages) in metadata.row_group(0).columns().iter().zip(&metadata.offset_index().unwrap()[0]) {
        let (start, length) = column.byte_range();
        ask(i64::try_from(start).ok(), i32::try_from(length).ok());
        for page in pages.page_locations() {
            ask(Some(page.offset), Some(page.compressed_page_size));
        }
        if column.bloom_filter_offset().is_some() {
            ask(column.bloom_filter_offset(), column.bloom_filter_length());
        }
    }
    assert!(asked.len() > 40, "{asked:?}");
    for range in asked {
        assert_eq!(checksums.widened(&range), range);
    }
    assert_eq!(checksums.size_bytes(), file.len() as u64);
    assert!(checksums.tail_bytes(4 << 10) < 4 << 10, "footer and indexes are read alone");
}

fn row() -> impl Strategy<Value = Row> {
    let kind = prop::sample::select(vec!["temperature", "humidity", "a type with a long name"]);
    let device =
        prop::sample::select(vec!["d1", "d2", "device-with-a-long-name-1", "device-with-a-long-name-2"]);
    let cell = prop::option::weighted(
        0.8,
        prop::sample::select(vec![0x089_1f1d_4893_bfff, 0x089_2a10_0d2c_3fff, 1]),
    );
    let metadata = prop::option::of(prop::sample::select(vec!["{}", r#"{"firmware":"1.4.2"}"#]));
    let start = 1_700_000_000_000_000;
    (kind, cell, device, start..start + 40 * 3_600_000_000_i64, 0..1_000_i64, metadata).prop_map(
        |(kind, cell, device, timestamp, value, metadata)| {
            (kind.to_owned(), cell, device.to_owned(), timestamp, value, metadata.map(str::to_owned))
        },
    )
}

#[expect(clippy::cast_precision_loss, reason = "values are below 1,000")]
fn to_batch(spec: &TableSpec, rows: &[Row]) -> RecordBatch {
    let degrees = || Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.1.map(|_| 7.5)))) as ArrayRef;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(
            TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.3)).with_timezone("UTC"),
        ),
        Arc::new(StringViewArray::from_iter_values(rows.iter().map(|row| &row.2))),
        Arc::new(StringViewArray::from_iter_values(rows.iter().map(|row| &row.0))),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.4 as f64))),
        degrees(),
        degrees(),
        Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.1))),
        Arc::new(StringViewArray::from_iter(rows.iter().map(|row| row.5.as_ref()))),
    ];
    RecordBatch::try_new(Arc::clone(spec.query_schema()), columns).unwrap()
}

#[expect(clippy::cast_possible_truncation, reason = "values are below 1,000")]
fn to_rows(batch: &RecordBatch) -> Vec<Row> {
    let text = |index: usize| batch.column(index).as_string_view();
    let cells = batch.column(6).as_primitive::<Int64Type>();
    let times = batch.column(0).as_primitive::<TimestampMicrosecondType>();
    let values = batch.column(3).as_primitive::<Float64Type>();
    let is_null = |index: usize, row: usize| batch.column(index).is_null(row);
    (0..batch.num_rows())
        .map(|row| {
            (
                text(2).value(row).to_owned(),
                (!is_null(6, row)).then(|| cells.value(row)),
                text(1).value(row).to_owned(),
                times.value(row),
                values.value(row) as i64,
                (!is_null(7, row)).then(|| text(7).value(row).to_owned()),
            )
        })
        .collect()
}
