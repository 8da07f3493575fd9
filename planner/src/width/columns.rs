//! Which columns can be large, and which of these are copied whole.

use arrow::datatypes::{DataType, Schema};

/// Places of such columns in a schema.
pub(crate) fn wide_columns(schema: &Schema) -> Vec<usize> {
    let fields = schema.fields().iter().enumerate();
    fields.filter(|(_, field)| can_be_wide(field.data_type())).map(|(place, _)| place).collect()
}

/// Places of columns whose values can be large, copied or shared.
pub(crate) fn large_columns(schema: &Schema) -> Vec<usize> {
    let fields = schema.fields().iter().enumerate();
    let can_be_large = |data_type: &DataType| {
        !data_type.is_primitive() && !matches!(data_type, DataType::Boolean | DataType::Null)
    };
    fields.filter(|(_, field)| can_be_large(field.data_type())).map(|(place, _)| place).collect()
}

/// What a value counts: one that rows share, nothing while it is short; a long one, as much as if it were copied, since functions above may do
/// that. **Units**: bytes.
pub(super) fn counted(data_type: &DataType, bytes: u64) -> u64 {
    if bytes > SHARED_BYTES_MIN || can_be_wide(data_type) { bytes } else { 0 }
}

/// Eight functions of such texts make a quarter of a gigabyte of one batch. **Units**: bytes.
const SHARED_BYTES_MIN: u64 = 4 << 10;

/// Views and dictionaries are copied without what they point at.
fn can_be_wide(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8View | DataType::BinaryView | DataType::Dictionary(..) | DataType::Null => false,
        DataType::Struct(fields) => fields.iter().any(|field| can_be_wide(field.data_type())),
        other => !other.is_primitive() && *other != DataType::Boolean,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{Field, TimeUnit};

    use super::*;

    #[test]
    fn views_and_numbers_are_never_wide() {
        let list = DataType::new_list(DataType::Float64, true);
        let fixed = DataType::FixedSizeList(Arc::new(Field::new("item", DataType::Int8, true)), 9);
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let wide = [DataType::Utf8, DataType::LargeUtf8, DataType::Binary, list, fixed];
        let narrow = [DataType::Utf8View, DataType::BinaryView, DataType::Int64, DataType::Boolean, time];
        let inside = |data_type: &DataType| {
            DataType::Struct([Field::new("a", data_type.clone(), true)].into_iter().collect())
        };
        for data_type in wide.iter().flat_map(|data_type| [data_type.clone(), inside(data_type)]) {
            assert!(can_be_wide(&data_type), "{data_type}");
        }
        for data_type in narrow.iter().flat_map(|data_type| [data_type.clone(), inside(data_type)]) {
            assert!(!can_be_wide(&data_type), "{data_type}");
        }
    }
}
