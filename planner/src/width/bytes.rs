//! Bytes of rows themselves, not of the buffers that they are a part of, which others share.

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::DataType,
};

/// Of a batch, with the texts that its views point at. **Units**: bytes.
pub(crate) fn batch_bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(column_bytes).sum()
}

/// Of a column, with the texts that its views point at. **Units**: bytes.
pub(super) fn column_bytes(column: &ArrayRef) -> usize {
    own_bytes(column).saturating_add(text_bytes(column))
}

/// Of a column, whose views stay as they are. **Units**: bytes.
pub(super) fn own_bytes(column: &ArrayRef) -> usize {
    column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size())
}

/// What the views of a column point at, as often as they do. **Units**: bytes.
pub(super) fn text_bytes(column: &ArrayRef) -> usize {
    match column.data_type() {
        DataType::Utf8View => column.as_string_view().total_buffer_bytes_used(),
        DataType::BinaryView => column.as_binary_view().total_buffer_bytes_used(),
        _ => 0,
    }
}
