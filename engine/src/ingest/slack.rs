//! Lets go of buffers that are mostly not ours. An array shares its whole allocation, however little of it the rows use: a
//! ten-row slice would keep the message alive that it was cut from, in memory that no budget sees.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, Capacities, MutableArrayData, make_array},
    buffer::{Buffer, NullBuffer},
    datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType},
};

/// Smaller allocations are not worth a copy. **Units**: bytes.
const ALLOCATION_BYTES_MIN: usize = 4 << 10;

/// One allocation and how much of it the columns of a batch use together: a decoded message is one for all its columns.
#[derive(Debug)]
struct Allocation {
    start: *const u8,
    capacity: usize,
    used: usize,
}

impl Allocation {
    fn is_mostly_unused(&self) -> bool {
        self.capacity >= ALLOCATION_BYTES_MIN && self.used.saturating_mul(2) < self.capacity
    }
}

/// Copies the columns that keep an allocation alive of which the batch uses less than half; shares all others.
pub(super) fn release(columns: Vec<ArrayRef>) -> Vec<ArrayRef> {
    let mut allocations: Vec<Allocation> = Vec::new();
    for (buffer, used) in columns.iter().flat_map(|column| buffers(column)) {
        let start = buffer.data_ptr().as_ptr().cast_const();
        match allocations.iter_mut().find(|allocation| allocation.start == start) {
            Some(allocation) => allocation.used += used,
            None => allocations.push(Allocation { start, capacity: buffer.capacity(), used }),
        }
    }
    allocations.retain(Allocation::is_mostly_unused);
    let is_wasteful = |column: &ArrayRef| {
        buffers(column).iter().any(|(buffer, _)| {
            allocations.iter().any(|held| held.start == buffer.data_ptr().as_ptr().cast_const())
        })
    };
    columns.into_iter().map(|column| if is_wasteful(&column) { copied(&column) } else { column }).collect()
}

/// The buffers of a column of the WAL schema, each with the bytes of it that the column's rows use.
fn buffers(column: &ArrayRef) -> Vec<(&Buffer, usize)> {
    let mut found = Vec::with_capacity(3);
    if let Some(nulls) = column.nulls() {
        found.push((nulls.buffer(), null_bytes(nulls)));
    }
    if let Some(text) = column.as_string_opt::<i32>() {
        let offsets = text.offsets().inner().inner();
        found.push((offsets, offsets.len()));
        found.push((text.values(), text_bytes(column)));
    } else if let Some(values) = fixed_width(column) {
        found.push((values, values.len()));
    }
    found
}

fn fixed_width(column: &ArrayRef) -> Option<&Buffer> {
    match column.data_type() {
        DataType::Timestamp(..) => {
            column.as_primitive_opt::<TimestampMicrosecondType>().map(|array| array.values().inner())
        }
        DataType::Float64 => column.as_primitive_opt::<Float64Type>().map(|array| array.values().inner()),
        DataType::Int64 => column.as_primitive_opt::<Int64Type>().map(|array| array.values().inner()),
        _ => None,
    }
}

fn null_bytes(nulls: &NullBuffer) -> usize {
    nulls.len().div_ceil(8)
}

fn text_bytes(column: &ArrayRef) -> usize {
    let Some(text) = column.as_string_opt::<i32>() else { return 0 };
    let first = text.value_offsets().first().copied().unwrap_or_default();
    let last = text.value_offsets().last().copied().unwrap_or_default();
    usize::try_from(last - first).unwrap_or_default()
}

fn copied(column: &ArrayRef) -> ArrayRef {
    let data = column.to_data();
    let capacities = match column.data_type() {
        DataType::Utf8 => Capacities::Binary(column.len(), Some(text_bytes(column))),
        _ => Capacities::Array(column.len()),
    };
    let mut copy = MutableArrayData::with_capacities(vec![&data], false, capacities);
    match copy.try_extend(0, 0, column.len()) {
        Ok(()) => make_array(copy.freeze()),
        // A slice fits where its parent did; if not, sharing is still right.
        Err(_) => Arc::clone(column),
    }
}
