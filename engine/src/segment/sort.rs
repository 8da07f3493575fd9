//! Sorts rows by (type, h3, device_id, timestamp) within each time bucket. Pure CPU; runs on blocking threads.
//!
//! The key of a row is packed into 32 bytes, so that a comparison touches one cache line and no text: group of buckets,
//! type rank and the 52 bits of the cell that differ at a fixed resolution; device rank; timestamp; row.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    compute::{concat, take},
    datatypes::{Int64Type, SchemaRef, TimestampMicrosecondType, UInt32Type},
};

use super::{bucket::Groups, rank::Ranks};
use crate::{
    error::Result,
    schema::{TableSpec, column},
};

/// Cells of one resolution differ only in their base cell and digits.
const CELL_BITS: u32 = 52;

/// Sort key of a row.
#[derive(Debug, Clone, Copy)]
struct Key {
    /// From the top: group (44 bits), type rank (32 bits), cell (52 bits).
    place: u128,
    device: u32,
    row: u32,
    timestamp: i64,
}

/// Sorts the rows of `batches` (query schema) into one batch per group of time buckets, in order of time.
///
/// # Errors
/// `Internal` when Arrow refuses to gather.
pub(crate) fn sort_rows(
    spec: &TableSpec,
    batches: &[&RecordBatch],
    groups: &Groups,
) -> Result<Vec<RecordBatch>> {
    let row_count: usize = batches.iter().map(|batch| batch.num_rows()).sum();
    if row_count == 0 {
        return Ok(vec![]);
    }
    let types = Ranks::of(texts(batches, column::TYPE));
    let devices = Ranks::of(texts(batches, column::DEVICE_ID));
    let mut keys = keys(batches, groups, &types, &devices, row_count);
    keys.sort_unstable_by_key(|key| (key.place, key.device, key.timestamp, key.row));

    let rest = joined(spec.query_schema(), batches)?;
    let mut sorted = vec![];
    for run in keys.chunk_by(|a, b| group_of(a) == group_of(b)) {
        let rows: Vec<u32> = run.iter().map(|key| key.row).collect();
        sorted.push(gather(spec.query_schema(), &rest, &types, &devices, rows)?);
    }
    Ok(sorted)
}

fn keys(
    batches: &[&RecordBatch],
    groups: &Groups,
    types: &Ranks,
    devices: &Ranks,
    row_count: usize,
) -> Vec<Key> {
    let mut keys = Vec::with_capacity(row_count);
    for batch in batches {
        let timestamps = by_name(batch, column::TIMESTAMP).as_primitive::<TimestampMicrosecondType>();
        let cells = by_name(batch, column::H3).as_primitive::<Int64Type>();
        let mut group = groups.cursor();
        for (index, timestamp) in timestamps.values().iter().enumerate() {
            let row = keys.len();
            let cell = if cells.is_null(index) { 0 } else { cells.value(index).cast_unsigned() };
            let cell = u128::from(cell & ((1 << CELL_BITS) - 1));
            let kind = u128::from(types.rank(row)) << CELL_BITS;
            let group = u128::from(group.of(*timestamp)) << (CELL_BITS + u32::BITS);
            keys.push(Key {
                place: group | kind | cell,
                device: devices.rank(row),
                row: u32::try_from(row).unwrap_or(u32::MAX),
                timestamp: *timestamp,
            });
        }
    }
    keys
}

fn group_of(key: &Key) -> u128 {
    key.place >> (CELL_BITS + u32::BITS)
}

/// Whole columns of the non-ranked columns; the ranked ones stay empty.
fn joined(schema: &SchemaRef, batches: &[&RecordBatch]) -> Result<Vec<Option<ArrayRef>>> {
    let mut columns = vec![];
    for field in schema.fields() {
        if is_ranked(field.name()) {
            columns.push(None);
            continue;
        }
        let parts: Vec<&dyn Array> = batches.iter().map(|batch| by_name(batch, field.name())).collect();
        columns.push(Some(concat(&parts)?));
    }
    Ok(columns)
}

fn gather(
    schema: &SchemaRef,
    rest: &[Option<ArrayRef>],
    types: &Ranks,
    devices: &Ranks,
    rows: Vec<u32>,
) -> Result<RecordBatch> {
    let mut columns = vec![];
    let indices = arrow::array::PrimitiveArray::<UInt32Type>::from(rows);
    for (field, whole) in schema.fields().iter().zip(rest) {
        columns.push(match whole {
            Some(whole) => compact(take(whole, &indices, None)?),
            None if field.name() == column::TYPE => types.gather(indices.values()),
            None => devices.gather(indices.values()),
        });
    }
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// Gathered views still point into the batches that came over the wire: copy the texts, so that those can go.
fn compact(array: ArrayRef) -> ArrayRef {
    match array.as_string_view_opt() {
        Some(views) => Arc::new(views.gc()),
        None => array,
    }
}

fn is_ranked(name: &str) -> bool {
    name == column::TYPE || name == column::DEVICE_ID
}

fn texts<'a>(
    batches: &'a [&RecordBatch],
    name: &'a str,
) -> impl Iterator<Item = &'a arrow::array::StringViewArray> {
    batches.iter().map(move |batch| by_name(batch, name).as_string_view())
}

fn by_name<'a>(batch: &'a RecordBatch, name: &str) -> &'a dyn Array {
    let Some(array) = batch.column_by_name(name) else { unreachable!("column {name} of the query schema") };
    array.as_ref()
}
