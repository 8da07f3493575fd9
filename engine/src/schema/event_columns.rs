//! `EventColumns`: the columns of a batch of events, each as what it is. A batch in memory has been checked when it came in; one that lacks a
//! column is a bug of ours.

use arrow::{
    array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringViewArray},
    datatypes::{Float64Type, Int64Type, TimestampMicrosecondType},
};

use super::column;

/// The columns of a batch of the query schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventColumns<'a> {
    /// **Units**: µs since 1970, UTC.
    pub(crate) timestamps: &'a [i64],
    pub(crate) values: &'a [f64],
    pub(crate) types: &'a StringViewArray,
    pub(crate) devices: &'a StringViewArray,
    pub(crate) cells: &'a Int64Array,
    /// **Units**: degrees.
    pub(crate) latitudes: &'a Float64Array,
    /// **Units**: degrees.
    pub(crate) longitudes: &'a Float64Array,
}

impl<'a> EventColumns<'a> {
    pub(crate) fn of(batch: &'a RecordBatch) -> Self {
        Self {
            timestamps: timestamps(batch),
            values: column_of(batch, column::VALUE).as_primitive::<Float64Type>().values(),
            types: column_of(batch, column::TYPE).as_string_view(),
            devices: column_of(batch, column::DEVICE_ID).as_string_view(),
            cells: column_of(batch, column::H3).as_primitive::<Int64Type>(),
            latitudes: column_of(batch, column::LATITUDE).as_primitive::<Float64Type>(),
            longitudes: column_of(batch, column::LONGITUDE).as_primitive::<Float64Type>(),
        }
    }

    /// Latitude and longitude of a row; NaN without a position.
    pub(crate) fn position(&self, row: usize) -> (f64, f64) {
        if self.latitudes.is_null(row) || self.longitudes.is_null(row) {
            return (f64::NAN, f64::NAN);
        }
        (self.latitudes.value(row), self.longitudes.value(row))
    }
}

/// The times of a batch of either schema. **Units**: µs since 1970, UTC.
pub(crate) fn timestamps(batch: &RecordBatch) -> &[i64] {
    column_of(batch, column::TIMESTAMP).as_primitive::<TimestampMicrosecondType>().values()
}

/// A column of a batch of either schema.
pub(crate) fn column_of<'a>(batch: &'a RecordBatch, name: &str) -> &'a ArrayRef {
    let index = batch.schema_ref().fields().iter().position(|field| field.name() == name);
    let index = index.unwrap_or(usize::MAX);
    assert!(index < batch.num_columns(), "a batch of events lacks the column {name}");
    batch.column(index)
}
