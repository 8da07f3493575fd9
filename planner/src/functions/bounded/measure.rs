//! `Argument`: the sizes of one argument's values, read from offsets and lengths.

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array},
    compute::cast,
    datatypes::{
        ArrowDictionaryKeyType, DataType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
        UInt32Type, UInt64Type,
    },
};
use datafusion::{common::ScalarValue, error::Result, logical_expr::ColumnarValue};

use super::bounds::count;

/// What a list, a view or an offset keeps of each value beside its bytes.
pub(super) const ITEM_BYTES: u64 = 16;

/// Sizes of one value, or the largest of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// Of a text its letters, of a list all that is in it.
    pub(super) bytes: u64,
    /// The smallest, where it is of several.
    pub(super) bytes_min: u64,
    /// Of a list.
    pub(super) items: u64,
    /// Of a list, with those of the lists in it.
    pub(super) leaves: u64,
    /// Of whole numbers; 0 for null.
    pub(super) number: i64,
}

impl Size {
    /// The largest of both in each respect.
    fn or(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.max(other.bytes),
            bytes_min: self.bytes_min.min(other.bytes_min),
            items: self.items.max(other.items),
            leaves: self.leaves.max(other.leaves),
            number: self.number.max(other.number),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Argument {
    values: ArrayRef,
    numbers: Option<Int64Array>,
    is_constant: bool,
}

impl Argument {
    pub(super) fn of(value: &ColumnarValue) -> Result<Self> {
        let (values, is_constant) = match value {
            ColumnarValue::Array(values) => (ArrayRef::clone(values), false),
            ColumnarValue::Scalar(scalar) => (scalar.to_array()?, true),
        };
        let numbers = if values.data_type().is_integer() { Some(whole(&values)?) } else { None };
        Ok(Self { values, numbers, is_constant })
    }

    pub(super) fn is_constant(&self) -> bool {
        self.is_constant
    }

    pub(super) fn values(&self) -> &ArrayRef {
        &self.values
    }

    /// Where the value of a row is.
    pub(super) fn place(&self, row: usize) -> usize {
        if self.is_constant { 0 } else { row }
    }

    pub(super) fn at(&self, row: usize) -> Size {
        let place = self.place(row);
        let bytes = bytes_at(&self.values, place);
        let number = self.numbers.as_ref().filter(|numbers| numbers.is_valid(place));
        let number = number.map_or(0, |numbers| numbers.value(place));
        let (items, leaves) = (items_at(&self.values, place), leaves(&self.values, place, place + 1));
        Size { bytes, bytes_min: bytes, items, leaves, number }
    }

    /// What all rows have together.
    pub(super) fn all_bytes(&self) -> u64 {
        (0..self.values.len()).map(|place| bytes_at(&self.values, place)).sum()
    }

    /// The largest of all rows.
    pub(super) fn largest(&self) -> Size {
        let rows = 0..self.values.len();
        if let Some(numbers) = &self.numbers {
            let number = numbers.iter().flatten().max().unwrap_or_default();
            return Size { number, ..self.at_first() };
        }
        match self.values.data_type() {
            DataType::Utf8 => texts(
                self.values
                    .as_string::<i32>()
                    .value_offsets()
                    .windows(2)
                    .map(|pair| count_i32(pair[1] - pair[0])),
            ),
            DataType::Utf8View => {
                texts(self.values.as_string_view().views().iter().map(|view| view_bytes(*view)))
            }
            data_type if data_type.is_primitive() || data_type.is_null() => self.at_first(),
            _ => rows.map(|row| self.at(row)).reduce(Size::or).unwrap_or_default(),
        }
    }

    fn at_first(&self) -> Size {
        if self.values.is_empty() { Size::default() } else { self.at(0) }
    }

    /// A text.
    pub(super) fn text(&self, row: usize) -> Option<&str> {
        let place = self.place(row);
        if self.values.is_null(place) {
            return None;
        }
        match self.values.data_type() {
            DataType::Utf8 => Some(self.values.as_string::<i32>().value(place)),
            DataType::LargeUtf8 => Some(self.values.as_string::<i64>().value(place)),
            DataType::Utf8View => Some(self.values.as_string_view().value(place)),
            _ => None,
        }
    }
}

/// The largest value of an array. **Units**: bytes.
///
/// # Errors
/// `Internal` when Arrow refuses to read numbers.
pub(crate) fn largest_bytes(values: &ArrayRef) -> Result<u64> {
    Ok(Argument::of(&ColumnarValue::Array(ArrayRef::clone(values)))?.largest().bytes)
}

/// What a constant takes. **Units**: bytes.
pub(crate) fn scalar_bytes(value: &ScalarValue) -> u64 {
    match value.try_as_str() {
        Some(text) => text.map_or(0, |text| count(text.len())),
        None => count(value.size()),
    }
}

/// Whole numbers; a number beyond 64 bits is the largest there is.
fn whole(values: &ArrayRef) -> Result<Int64Array> {
    if *values.data_type() == DataType::UInt64 {
        let numbers = values.as_primitive::<UInt64Type>();
        return Ok(numbers.unary(|number| i64::try_from(number).unwrap_or(i64::MAX)));
    }
    Ok(cast(values, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

fn texts(lengths: impl Iterator<Item = u64>) -> Size {
    let (bytes_min, bytes) =
        lengths.fold((u64::MAX, 0), |(least, most), length| (least.min(length), most.max(length)));
    Size { bytes, bytes_min: bytes_min.min(bytes), items: 1, leaves: 1, number: 0 }
}

/// The low half of the low word is the length.
fn view_bytes(view: u128) -> u64 {
    u64::from(u32::try_from(view & u128::from(u32::MAX)).unwrap_or(u32::MAX))
}

fn count_i32(number: i32) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn count_i64(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// Of a text or binary value its own bytes; of anything else what it takes in a list.
pub(crate) fn bytes_at(values: &dyn Array, place: usize) -> u64 {
    match values.data_type() {
        DataType::Utf8 => count_i32(values.as_string::<i32>().value_length(place)),
        DataType::LargeUtf8 => count_i64(values.as_string::<i64>().value_length(place)),
        DataType::Utf8View => view_bytes(values.as_string_view().views()[place]),
        DataType::Binary => count_i32(values.as_binary::<i32>().value_length(place)),
        DataType::LargeBinary => count_i64(values.as_binary::<i64>().value_length(place)),
        DataType::BinaryView => view_bytes(values.as_binary_view().views()[place]),
        _ => span_bytes(values, place, place + 1),
    }
}

/// What the values of some rows take.
pub(super) fn span_bytes(values: &dyn Array, from: usize, to: usize) -> u64 {
    let rows = count(to - from);
    match values.data_type() {
        DataType::Null => 0,
        DataType::Boolean => rows,
        DataType::FixedSizeBinary(width) => rows * count_i32(*width),
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView => (from..to).map(|place| bytes_at(values, place) + ITEM_BYTES).sum(),
        DataType::Struct(_) => {
            let columns = values.as_struct().columns().iter();
            rows + columns.map(|column| span_bytes(column, from, to)).sum::<u64>()
        }
        DataType::Dictionary(..) => (from..to).map(|place| dictionary_bytes(values, place)).sum(),
        DataType::ListView(_) | DataType::LargeListView(_) if to != from + 1 => {
            (from..to).map(|place| span_bytes(values, place, place + 1)).sum()
        }
        _ => match inside(values, from, to) {
            Some((items, first, last)) => span_bytes(items, first, last) + rows * ITEM_BYTES,
            None => match values.data_type().primitive_width() {
                Some(width) => rows * count(width),
                None => rows * (count(values.get_array_memory_size()) / count(values.len().max(1))),
            },
        },
    }
}

/// What is in the lists of some rows: all items, and which of them.
pub(super) fn inside(values: &dyn Array, from: usize, to: usize) -> Option<(&dyn Array, usize, usize)> {
    let place = |number: i32| usize::try_from(number).unwrap_or_default();
    let long_place = |number: i64| usize::try_from(number).unwrap_or_default();
    match values.data_type() {
        DataType::List(_) => {
            let list = values.as_list::<i32>();
            Some((list.values(), place(list.value_offsets()[from]), place(list.value_offsets()[to])))
        }
        DataType::LargeList(_) => {
            let list = values.as_list::<i64>();
            Some((
                list.values(),
                long_place(list.value_offsets()[from]),
                long_place(list.value_offsets()[to]),
            ))
        }
        DataType::FixedSizeList(_, size) => {
            Some((values.as_fixed_size_list().values(), from * place(*size), to * place(*size)))
        }
        DataType::Map(..) => {
            let map = values.as_map();
            Some((map.entries(), place(map.value_offsets()[from]), place(map.value_offsets()[to])))
        }
        // Those of several rows need not lie side by side.
        DataType::ListView(_) if to == from + 1 => {
            let list = values.as_list_view::<i32>();
            let first = place(list.value_offset(from));
            Some((list.values(), first, first + place(list.value_size(from))))
        }
        DataType::LargeListView(_) if to == from + 1 => {
            let list = values.as_list_view::<i64>();
            let first = long_place(list.value_offset(from));
            Some((list.values(), first, first + long_place(list.value_size(from))))
        }
        _ => None,
    }
}

fn is_list_view(values: &dyn Array) -> bool {
    matches!(values.data_type(), DataType::ListView(_) | DataType::LargeListView(_))
}

/// Of a list; 1 of what is none.
pub(crate) fn items_at(values: &dyn Array, place: usize) -> u64 {
    inside(values, place, place + 1).map_or(1, |(_, first, last)| count(last - first))
}

/// Values that are no lists.
fn leaves(values: &dyn Array, from: usize, to: usize) -> u64 {
    if is_list_view(values) && to != from + 1 {
        return (from..to).map(|place| leaves(values, place, place + 1)).sum();
    }
    match inside(values, from, to) {
        Some((items, first, last)) => leaves(items, first, last),
        None => count(to - from),
    }
}

/// Items of lists and of the lists in them, on all levels.
pub(crate) fn entries(values: &dyn Array, from: usize, to: usize) -> u64 {
    if is_list_view(values) && to != from + 1 {
        return (from..to).map(|place| entries(values, place, place + 1)).sum();
    }
    match inside(values, from, to) {
        Some((items, first, last)) => count(last - first).saturating_add(entries(items, first, last)),
        None => 0,
    }
}

fn dictionary_bytes(values: &dyn Array, place: usize) -> u64 {
    fn of<K: ArrowDictionaryKeyType>(values: &dyn Array, place: usize) -> u64 {
        let dictionary = values.as_dictionary::<K>();
        dictionary.key(place).map_or(0, |key| bytes_at(dictionary.values(), key)) + ITEM_BYTES
    }
    match values.data_type() {
        DataType::Dictionary(key, _) => match **key {
            DataType::Int8 => of::<Int8Type>(values, place),
            DataType::Int16 => of::<Int16Type>(values, place),
            DataType::Int32 => of::<Int32Type>(values, place),
            DataType::Int64 => of::<Int64Type>(values, place),
            DataType::UInt8 => of::<UInt8Type>(values, place),
            DataType::UInt16 => of::<UInt16Type>(values, place),
            DataType::UInt32 => of::<UInt32Type>(values, place),
            _ => of::<UInt64Type>(values, place),
        },
        _ => ITEM_BYTES,
    }
}
