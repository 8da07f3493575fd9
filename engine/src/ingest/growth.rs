//! `needed_for`: how much memory a batch takes on its way in: its own bytes, and those that its text grows by when it is normalised. A
//! dictionary names one text again and again, and a struct has the keys once that the JSON of every row repeats; both are counted before
//! anything is built, so that memory for it is there first.

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::DataType,
};

use super::{
    columns::{InputColumn, InputColumns},
    text::{TextReader, refuse_too_much},
};
use crate::error::Result;

/// Growth that is not worth a look at each row. **Units**: bytes.
const SMALL_BYTES: usize = 4 << 20;

/// Offset of a text. **Units**: bytes.
const OFFSET_BYTES: usize = 4;

/// Deepest nesting that is looked at; what is deeper is refused later.
const DEPTH_MAX: usize = 64;

/// Memory that a batch of the WAL schema takes with its query form: its own bytes and a view per text.
pub(crate) fn memory_of(batch: &RecordBatch) -> usize {
    const VIEW_BYTES: usize = 16;
    let columns = batch.columns().iter();
    let own: usize = columns.map(|array| array.to_data().get_slice_memory_size().unwrap_or(0)).sum();
    own + batch.num_rows() * VIEW_BYTES * 3
}

/// Memory that a batch takes while it is normalised: what came, and what becomes of it.
///
/// # Errors
/// `Invalid` when it would be more than one batch may have.
pub(crate) fn needed_for(input: &RecordBatch) -> Result<usize> {
    Ok(memory_of(input).saturating_add(growth_of(input)?))
}

/// Bytes that the text columns of a batch grow by when they are normalised. **Units**: bytes, about; 0 for a batch whose columns are refused
/// later.
///
/// # Errors
/// `Invalid` when the text of a column would be more than one may have.
fn growth_of(input: &RecordBatch) -> Result<usize> {
    let Ok(columns) = InputColumns::of(input) else { return Ok(0) };
    let mut growth = 0_usize;
    for column in [&columns.device_id, &columns.event_type].into_iter().chain(&columns.metadata) {
        let bytes = column_growth(column);
        refuse_too_much(&column.name, bytes)?;
        growth = growth.saturating_add(bytes);
    }
    Ok(growth)
}

fn column_growth(column: &InputColumn<'_>) -> usize {
    match column.array.data_type() {
        DataType::Struct(_) | DataType::Map(..) => json_bytes(column.array),
        DataType::Dictionary(..) | DataType::Utf8View => gathered_bytes(column.array),
        _ => 0,
    }
}

/// Text of all rows once it is written out.
fn gathered_bytes(array: &dyn Array) -> usize {
    let offsets = array.len().saturating_mul(OFFSET_BYTES);
    let longest = longest_value(array);
    let most = longest.saturating_mul(array.len());
    if most <= SMALL_BYTES {
        return most + offsets;
    }
    let Some(text) = TextReader::of(array) else { return 0 };
    let rows = (0..array.len()).filter_map(|row| text.get(row)).map(str::len);
    rows.fold(offsets, usize::saturating_add)
}

/// Length of the longest text of a dictionary; of views it is not known.
fn longest_value(array: &dyn Array) -> usize {
    let Some(values) = array.as_any_dictionary_opt().map(|dictionary| dictionary.values()) else {
        return usize::MAX;
    };
    let Some(text) = TextReader::of(values.as_ref()) else { return 0 };
    (0..values.len()).filter_map(|row| text.get(row)).map(str::len).max().unwrap_or_default()
}

/// Bytes of the JSON of all rows of a map or struct column. Numbers count as one character: what they take more is about what they take as
/// they came. Never more than the text that is written, unless rows that are null hold values.
pub(super) fn json_bytes(array: &dyn Array) -> usize {
    nested_bytes(array, DEPTH_MAX)
}

fn nested_bytes(array: &dyn Array, depth: usize) -> usize {
    if depth == 0 {
        return 0;
    }
    match array.data_type() {
        DataType::Struct(_) => object_bytes(array, depth),
        DataType::Map(..) => {
            let map = array.as_map();
            let (keys, values) =
                (used(map.keys(), map.value_offsets()), used(map.values(), map.value_offsets()));
            [nested_bytes(keys.as_ref(), depth - 1), nested_bytes(values.as_ref(), depth - 1)]
                .into_iter()
                .fold(array.len(), usize::saturating_add)
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            nested_bytes(used(list.values(), list.value_offsets()).as_ref(), depth - 1)
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            nested_bytes(used(list.values(), list.value_offsets()).as_ref(), depth - 1)
        }
        DataType::FixedSizeList(..) => nested_bytes(array.as_fixed_size_list().values().as_ref(), depth - 1),
        _ => match TextReader::of(array) {
            Some(text) => {
                let rows = (0..array.len()).filter_map(|row| text.get(row)).map(quoted_bytes);
                rows.fold(0, usize::saturating_add)
            }
            None => array.len(),
        },
    }
}

/// Each row repeats the keys of the fields that it has.
fn object_bytes(array: &dyn Array, depth: usize) -> usize {
    let object = array.as_struct();
    let fields = object.fields().iter().zip(object.columns()).map(|(field, child)| {
        let valid = child.len() - child.logical_null_count();
        let keys = (quoted_bytes(field.name()) + 1).saturating_mul(valid);
        keys.saturating_add(nested_bytes(child.as_ref(), depth - 1))
    });
    fields.fold(array.len(), usize::saturating_add)
}

/// The items that the rows of a list or map use.
fn used<O: Copy + TryInto<usize>>(items: &ArrayRef, offsets: &[O]) -> ArrayRef {
    let at = |offset: Option<&O>| offset.and_then(|offset| (*offset).try_into().ok()).unwrap_or_default();
    let (start, end) = (at(offsets.first()), at(offsets.last()));
    items.slice(start, end - start)
}

/// A text between quotes, with its escapes.
fn quoted_bytes(text: &str) -> usize {
    let escapes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        0..0x20 => 5,
        _ => 0,
    });
    text.len() + 2 + escapes.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{
            DictionaryArray, Int32Array, Int64Array, ListArray, MapBuilder, StringArray, StringBuilder,
            StructArray,
        },
        datatypes::{Field, Int32Type},
    };

    use super::*;
    use crate::ingest::json::write_objects;

    #[test]
    fn a_dictionary_counts_what_its_rows_say() {
        let values = StringArray::from(vec!["x".repeat(1 << 20), "y".to_owned()]);
        let keys = Int32Array::from_iter((0..100).map(|row| (row % 2 == 0).then_some(row % 4 / 2)));
        let array = DictionaryArray::<Int32Type>::new(keys, Arc::new(values));
        assert_eq!(gathered_bytes(&array), 25 * (1 << 20) + 25 + 100 * OFFSET_BYTES);
    }

    #[test]
    fn json_is_counted_before_it_is_written() {
        for array in [keyed("k\n", 100), listed(), mapped()] {
            let written = write_objects("metadata", array.as_ref()).unwrap();
            let (counted, written) = (json_bytes(array.as_ref()), written.values().len());
            assert!(counted <= written && counted * 3 >= written, "{counted} of {written}: {array:?}");
        }
    }

    #[test]
    fn text_beyond_a_column_is_refused_before_it_is_built() {
        let array = keyed(&"k".repeat(60_000), 60_000);
        let refused = write_objects("metadata", array.as_ref()).unwrap_err().to_string();
        assert!(
            refused.contains("column 'metadata': 3600") && refused.contains("send smaller batches"),
            "{refused}"
        );
    }

    fn keyed(key: &str, rows: usize) -> ArrayRef {
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(vec![1; rows]));
        Arc::new(StructArray::from(vec![(Arc::new(Field::new(key, DataType::Int64, true)), values)]))
    }

    fn listed() -> ArrayRef {
        let items = [Some(vec![Some(1), None, Some(3)]), None, Some(vec![])];
        let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(items));
        let list = list.slice(0, 2);
        Arc::new(StructArray::from(vec![(
            Arc::new(Field::new("list", list.data_type().clone(), true)),
            list,
        )]))
    }

    fn mapped() -> ArrayRef {
        let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        for row in 0..10 {
            map.keys().append_value(format!("key {row}"));
            map.values().append_value("\u{1}\"value\"");
            map.append(true).unwrap();
        }
        Arc::new(map.finish().slice(2, 5))
    }
}
