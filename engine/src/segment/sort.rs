//! Sorts rows by (type, h3, device_id, timestamp) within each time bucket. Pure CPU; runs on blocking threads.
//!
//! [`sort_rows`] gathers whole segments, for memory; [`SortedRows`] gathers piece by piece, for a file that is encoded as it goes.
//!
//! The key of a row is packed into 32 bytes, so that a comparison touches one cache line and no text: group of buckets,
//! type rank and the 52 bits of the cell that differ at a fixed resolution; device rank; timestamp; row.

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array},
    compute::{concat, interleave, take},
    datatypes::{Int64Type, SchemaRef, TimestampMicrosecondType},
};

use super::{bucket::Groups, rank::Ranks};
use crate::{
    error::Result,
    schema::{TableSpec, column, column_of},
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

/// Sorts the rows of `batches` (query schema) into one batch per group of time buckets.
///
/// # Errors
/// `Internal` when Arrow refuses to gather.
pub(crate) fn sort_rows(
    spec: &TableSpec,
    batches: &[&RecordBatch],
    groups: &Groups,
) -> Result<Vec<RecordBatch>> {
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        return Ok(vec![]);
    }
    let order = Order::of(batches, groups);
    let rows: Vec<UInt32Array> =
        order.groups.iter().map(|run| order.rows[run.clone()].to_vec().into()).collect();
    let mut columns: Vec<Vec<ArrayRef>> = vec![vec![]; rows.len()];
    // One column after the other: no second copy of all rows.
    for field in spec.query_schema().fields() {
        let gathered = gather(field.name(), batches, &order, &rows)?;
        columns.iter_mut().zip(gathered).for_each(|(columns, column)| columns.push(column));
    }
    let segments = columns.into_iter().map(|columns| {
        let schema = Arc::clone(spec.query_schema());
        Ok(RecordBatch::try_new(schema, columns)?)
    });
    segments.collect()
}

/// Rows in order, not yet gathered: what a file is encoded from without a second copy of all its rows.
#[derive(Debug)]
pub(crate) struct SortedRows {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    /// Number of each batch's first row.
    starts: Vec<u32>,
    order: Order,
}

impl SortedRows {
    /// Sorts batches of the query schema.
    pub(crate) fn of(spec: &TableSpec, batches: Vec<RecordBatch>, groups: &Groups) -> Self {
        let order = Order::of(&batches.iter().collect::<Vec<_>>(), groups);
        let mut next = 0;
        let mut starts = Vec::with_capacity(batches.len());
        for batch in &batches {
            starts.push(next);
            next += u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
        }
        Self { schema: Arc::clone(spec.query_schema()), batches, starts, order }
    }

    /// The places of each group of time buckets.
    pub(crate) fn groups(&self) -> &[Range<usize>] {
        &self.order.groups
    }

    /// The rows at `places`, in order. Texts still share the buffers of the batches they came in.
    ///
    /// # Errors
    /// `Internal` when Arrow refuses to gather.
    pub(crate) fn gather(&self, places: Range<usize>) -> Result<RecordBatch> {
        let rows = &self.order.rows[places];
        let found: Vec<(usize, usize)> = rows.iter().map(|row| self.find(*row)).collect();
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            columns.push(match field.name().as_str() {
                column::TYPE => self.order.types.gather(rows),
                column::DEVICE_ID => self.order.devices.gather(rows),
                name => {
                    let parts: Vec<&dyn Array> =
                        self.batches.iter().map(|batch| column_of(batch, name).as_ref()).collect();
                    interleave(&parts, &found)?
                }
            });
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    /// Batch and place in it of a row.
    fn find(&self, row: u32) -> (usize, usize) {
        let batch = self.starts.partition_point(|start| *start <= row) - 1;
        (batch, (row - self.starts[batch]) as usize)
    }
}

/// The rows of several batches, numbered through, in order.
#[derive(Debug)]
struct Order {
    types: Ranks,
    devices: Ranks,
    rows: Vec<u32>,
    groups: Vec<Range<usize>>,
}

impl Order {
    fn of(batches: &[&RecordBatch], groups: &Groups) -> Self {
        let row_count: usize = batches.iter().map(|batch| batch.num_rows()).sum();
        let types = Ranks::of(texts(batches, column::TYPE));
        let devices = Ranks::of(texts(batches, column::DEVICE_ID));
        let mut keys = keys(batches, groups, &types, &devices, row_count);
        keys.sort_unstable_by_key(|key| (key.place, key.device, key.timestamp, key.row));
        let rows = keys.iter().map(|key| key.row).collect();
        let mut runs = vec![];
        let mut start = 0;
        for run in keys.chunk_by(|a, b| group_of(a) == group_of(b)) {
            runs.push(start..start + run.len());
            start += run.len();
        }
        Self { types, devices, rows, groups: runs }
    }
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
        let timestamps = column_of(batch, column::TIMESTAMP).as_primitive::<TimestampMicrosecondType>();
        let cells = column_of(batch, column::H3).as_primitive::<Int64Type>();
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

/// A column of each group of `rows`.
fn gather(
    name: &str,
    batches: &[&RecordBatch],
    order: &Order,
    rows: &[UInt32Array],
) -> Result<Vec<ArrayRef>> {
    match name {
        column::TYPE => Ok(rows.iter().map(|rows| order.types.gather(rows.values())).collect()),
        column::DEVICE_ID => Ok(rows.iter().map(|rows| order.devices.gather(rows.values())).collect()),
        _ => {
            let parts: Vec<&dyn Array> =
                batches.iter().map(|batch| column_of(batch, name).as_ref()).collect();
            let whole = concat(&parts)?;
            rows.iter().map(|rows| Ok(compact(take(&whole, rows, None)?))).collect()
        }
    }
}

/// Gathered views still point into the batches that came over the wire: copy the texts, so that those can go.
fn compact(array: ArrayRef) -> ArrayRef {
    match array.as_string_view_opt() {
        Some(views) => Arc::new(views.gc()),
        None => array,
    }
}

fn texts<'a>(
    batches: &'a [&RecordBatch],
    name: &'a str,
) -> impl Iterator<Item = &'a arrow::array::StringViewArray> {
    batches.iter().map(move |batch| column_of(batch, name).as_string_view())
}
