//! Text: Utf8, LargeUtf8, Utf8View and dictionaries of them become Utf8; the rule of identifiers.

use arrow::{
    array::{Array, AsArray, LargeStringArray, StringArray, StringViewArray},
    buffer::{Buffer, NullBuffer, OffsetBuffer},
    datatypes::DataType,
};

use super::{
    bad_rows::{Found, quoted, refuse_nulls, refuse_rows, wrong_type},
    columns::InputColumn,
};
use crate::error::{EngineError, Result};

/// Longest device id and type. **Units**: bytes.
const IDENTIFIER_BYTES_MAX: usize = 256;

/// Most text of one column after conversion: a dictionary or views can repeat one long text in every row, so that a small
/// message would become gigabytes. **Units**: bytes.
pub(super) const TEXT_BYTES_MAX: usize = 256 << 20;

/// Reads a device id or type column: not null, 1 to 256 bytes.
pub(super) fn read_identifier(column: &InputColumn<'_>) -> Result<StringArray> {
    let text = read(column, "a text column")?;
    refuse_nulls(&column.name, text.nulls())?;
    let offsets = text.value_offsets();
    let is_bad = |start: i32, end: i32| {
        let bytes = (end - start).cast_unsigned() as usize;
        bytes.wrapping_sub(1) >= IDENTIFIER_BYTES_MAX
    };
    let ends = offsets.iter().skip(1);
    let bad_count = offsets
        .iter()
        .zip(ends)
        .fold(0_usize, |count, (start, end)| count + usize::from(is_bad(*start, *end)));
    if bad_count > 0 {
        let bad_rows = (0..text.len()).filter(|row| is_bad(offsets[*row], offsets[*row + 1]));
        refuse_rows(&column.name, bad_rows, |row| {
            let found = text.value(row);
            Found::new(quoted(found), format!("has {} bytes, not 1 to {IDENTIFIER_BYTES_MAX}", found.len()))
        })?;
    }
    Ok(text)
}

/// Brings a text column to Utf8; a Utf8 column is shared. `accepted` names what may be sent instead.
pub(super) fn read(column: &InputColumn<'_>, accepted: &str) -> Result<StringArray> {
    let data_type = column.array.data_type();
    match data_type {
        DataType::Utf8 => Ok(column.array.as_string::<i32>().clone()),
        DataType::Null => Ok(StringArray::new_null(column.array.len())),
        DataType::LargeUtf8 => narrow(&column.name, column.array.as_string::<i64>()),
        _ => {
            let reader =
                TextReader::of(column.array).ok_or_else(|| wrong_type(&column.name, data_type, accepted))?;
            gather(&column.name, &reader)
        }
    }
}

/// Row by row access to text of any representation.
#[derive(Debug)]
pub(super) struct TextReader<'a> {
    row_count: usize,
    nulls: Option<NullBuffer>,
    keys: Option<Vec<usize>>,
    values: TextValues<'a>,
}

#[derive(Debug)]
enum TextValues<'a> {
    Utf8(&'a StringArray),
    LargeUtf8(&'a LargeStringArray),
    Utf8View(&'a StringViewArray),
}

impl<'a> TextReader<'a> {
    /// Opens a column; `None` if it is not text.
    pub(super) fn of(array: &'a dyn Array) -> Option<Self> {
        let dictionary = array.as_any_dictionary_opt();
        let values: &'a dyn Array = dictionary.map_or(array, |dictionary| dictionary.values().as_ref());
        let values = match values.data_type() {
            DataType::Utf8 => TextValues::Utf8(values.as_string::<i32>()),
            DataType::LargeUtf8 => TextValues::LargeUtf8(values.as_string::<i64>()),
            DataType::Utf8View => TextValues::Utf8View(values.as_string_view()),
            _ => return None,
        };
        // A dictionary without values has no key to look up: every row is null.
        let keys = dictionary.map(|dictionary| {
            if dictionary.values().is_empty() { Vec::new() } else { dictionary.normalized_keys() }
        });
        Some(Self { row_count: array.len(), nulls: array.logical_nulls(), keys, values })
    }

    /// The text of a row; `None` is null.
    pub(super) fn get(&self, row: usize) -> Option<&'a str> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        let index = self.keys.as_ref().map_or(row, |keys| keys[row]);
        Some(match self.values {
            TextValues::Utf8(values) => values.value(index),
            TextValues::LargeUtf8(values) => values.value(index),
            TextValues::Utf8View(values) => values.value(index),
        })
    }
}

/// Shares the bytes of a LargeUtf8 column and rewrites its offsets.
fn narrow(name: &str, text: &LargeStringArray) -> Result<StringArray> {
    let offsets = text.value_offsets();
    let first = offsets.first().copied().unwrap_or_default();
    let last = offsets.last().copied().unwrap_or_default();
    let start = usize::try_from(first).unwrap_or_default();
    let byte_count = usize::try_from(last - first).unwrap_or(usize::MAX);
    refuse_too_much(name, byte_count)?;
    let offsets: Vec<i32> = offsets.iter().map(|offset| to_offset(offset - first)).collect();
    let bytes = text.values().slice_with_length(start, byte_count);
    Ok(StringArray::try_new(OffsetBuffer::new(offsets.into()), bytes, text.nulls().cloned())?)
}

fn gather(name: &str, reader: &TextReader<'_>) -> Result<StringArray> {
    let rows = 0..reader.row_count;
    let byte_count =
        rows.clone().filter_map(|row| reader.get(row)).map(str::len).fold(0, usize::saturating_add);
    refuse_too_much(name, byte_count)?;
    let mut bytes = Vec::with_capacity(byte_count);
    let mut offsets = Vec::with_capacity(reader.row_count + 1);
    offsets.push(0);
    for row in rows {
        bytes.extend_from_slice(reader.get(row).unwrap_or_default().as_bytes());
        offsets.push(to_offset(bytes.len()));
    }
    let offsets = OffsetBuffer::new(offsets.into());
    Ok(StringArray::try_new(offsets, Buffer::from_vec(bytes), reader.nulls.clone())?)
}

/// Refuses a column whose text would take too much memory.
pub(super) fn refuse_too_much(name: &str, byte_count: usize) -> Result<()> {
    if byte_count <= TEXT_BYTES_MAX {
        return Ok(());
    }
    Err(EngineError::InvalidBatch(format!(
        "column '{name}': {byte_count} bytes of text in one batch, at most {TEXT_BYTES_MAX}; send smaller batches"
    )))
}

/// An offset into text that passed [`refuse_too_much`].
pub(super) fn to_offset<T: TryInto<i32>>(byte_count: T) -> i32 {
    byte_count.try_into().ok().expect("the text of a column is limited to what an offset can say")
}
