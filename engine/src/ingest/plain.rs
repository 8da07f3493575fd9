//! Takes dictionaries and runs of plain values apart. A column of few different numbers is sent so by pandas and Polars; to its
//! sender it is a column of numbers.

use arrow::{
    array::{Array, ArrayRef},
    compute::cast,
    datatypes::DataType,
};

use crate::error::Result;

/// The values of an encoded column, one per row; `None` for a column that is not encoded, and for encoded text, which
/// [`TextReader`](super::text::TextReader) reads as it is.
pub(super) fn unpacked(column: &dyn Array) -> Result<Option<ArrayRef>> {
    let values = match column.data_type() {
        DataType::Dictionary(_, values) => values.as_ref(),
        DataType::RunEndEncoded(_, values) => values.data_type(),
        _ => return Ok(None),
    };
    let is_plain = values.is_numeric() || matches!(values, DataType::Timestamp(..) | DataType::Null);
    if is_plain { Ok(Some(cast(column, values)?)) } else { Ok(None) }
}
