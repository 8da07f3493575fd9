//! `Measure`: how much rows add to the value that an aggregate makes of them.

use arrow::{
    array::{Array, ArrayRef, BooleanArray},
    datatypes::DataType,
};
use datafusion::common::ScalarValue;

use super::super::{
    bounds::count,
    measure::{bytes_at, inside, scalar_bytes, span_bytes},
};

/// What kind of value is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// A list of all values, nulls included.
    List,
    /// The texts that are not null, with what stands between them.
    Text,
}

impl Measure {
    /// Of an aggregate that gives values of a type.
    pub(super) fn of(data_type: &DataType) -> Self {
        if matches!(data_type, DataType::List(_)) { Self::List } else { Self::Text }
    }

    /// What a row adds; `columns` are the aggregate's arguments, maybe with what it sorts by.
    pub(super) fn row(self, columns: &[ArrayRef], row: usize) -> u64 {
        match (self, columns) {
            (Self::List, [values, ..]) => span_bytes(values, row, row + 1),
            (Self::Text, [texts, between, ..]) if texts.is_valid(row) => {
                bytes_at(texts, row) + if between.is_valid(row) { bytes_at(between, row) } else { 0 }
            }
            _ => 0,
        }
    }

    /// What all rows add.
    pub(super) fn rows(self, columns: &[ArrayRef]) -> u64 {
        match (self, columns) {
            (Self::List, [values, ..]) => span_bytes(values, 0, values.len()),
            _ => (0..columns.first().map_or(0, Array::len)).map(|row| self.row(columns, row)).sum(),
        }
    }

    /// What a part of the value adds that another accumulator has made; what stands between texts of a list is not known here.
    pub(super) fn part(self, parts: &ArrayRef, row: usize) -> u64 {
        if parts.is_null(row) {
            return 0;
        }
        match (self, inside(parts, row, row + 1)) {
            (Self::List, Some((items, first, last))) => span_bytes(items, first, last),
            (Self::Text, Some((items, first, last))) => {
                (first..last).map(|place| bytes_at(items, place)).sum()
            }
            (_, None) => bytes_at(parts, row),
        }
    }
}

/// What a value of an aggregate has; nothing for a value of fixed size.
pub(super) fn value_bytes(value: &ScalarValue) -> u64 {
    match value {
        ScalarValue::List(list) => span_bytes(list.as_ref(), 0, list.len()),
        ScalarValue::LargeList(list) => span_bytes(list.as_ref(), 0, list.len()),
        ScalarValue::Struct(_) | ScalarValue::Map(_) | ScalarValue::FixedSizeList(_) => count(value.size()),
        ScalarValue::Binary(Some(bytes))
        | ScalarValue::LargeBinary(Some(bytes))
        | ScalarValue::BinaryView(Some(bytes)) => count(bytes.len()),
        ScalarValue::Utf8(Some(_)) | ScalarValue::LargeUtf8(Some(_)) | ScalarValue::Utf8View(Some(_)) => {
            scalar_bytes(value)
        }
        ScalarValue::Dictionary(_, value) => value_bytes(value),
        _ => 0,
    }
}

/// Whether a row passes a filter.
pub(super) fn passes(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Float64Array, LargeStringArray, StringArray};
    use datafusion::common::utils::SingleRowListArrayBuilder;

    use super::*;

    #[test]
    fn texts_have_their_letters_and_what_stands_between() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("abc"), None, Some("d")]));
        let between: ArrayRef = Arc::new(StringArray::from(vec![", "; 3]));
        assert_eq!(Measure::Text.rows(&[texts, between]), 8);
        let part: ArrayRef = Arc::new(LargeStringArray::from(vec!["abc, d"]));
        assert_eq!(Measure::Text.part(&part, 0), 6);
    }

    #[test]
    fn lists_have_all_items() {
        let values: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(2.0)]));
        let columns = [Arc::clone(&values)];
        assert_eq!(Measure::List.rows(&columns), 24);
        assert_eq!(Measure::List.row(&columns, 1), 8);
        let part: ArrayRef = Arc::new(SingleRowListArrayBuilder::new(values).build_list_array());
        assert_eq!(Measure::List.part(&part, 0), 24);
        assert!(value_bytes(&ScalarValue::try_from_array(&part, 0).unwrap()) >= 24);
        assert_eq!(part.as_list::<i32>().len(), 1);
    }
}
