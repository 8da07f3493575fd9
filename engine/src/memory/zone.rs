//! Zone map of a batch in memory: the ranges that let a scan skip it without reading a row.

use std::collections::BTreeSet;

use arrow::{
    array::{Array, AsArray, RecordBatch},
    compute::{max, min},
    datatypes::{Int64Type, TimestampMicrosecondType},
};

use crate::schema::{column, column_of};

/// Distinct types a zone map lists before it gives up and matches any type.
const TYPES_MAX: usize = 64;

/// Ranges of a batch. A value outside them is certainly not in the batch; one inside may be.
#[derive(Debug, Clone, PartialEq)]
pub struct ZoneMap {
    /// Rows of the batch.
    pub row_count: usize,
    /// Smallest and largest timestamp, both inclusive. **Units**: µs since 1970, UTC.
    pub timestamp: (i64, i64),
    /// The distinct types, or `None` when there are too many to list.
    pub types: Option<BTreeSet<String>>,
    /// Smallest and largest H3 cell of the rows with a location; `None` when no row has one.
    pub h3: Option<(i64, i64)>,
}

impl ZoneMap {
    /// Reads the ranges off a non-empty batch of the `events` query schema.
    #[must_use]
    pub fn of(batch: &RecordBatch) -> Self {
        let timestamps = column_of(batch, column::TIMESTAMP).as_primitive::<TimestampMicrosecondType>();
        let cells = column_of(batch, column::H3).as_primitive::<Int64Type>();
        Self {
            row_count: batch.num_rows(),
            timestamp: (min(timestamps).unwrap_or(i64::MAX), max(timestamps).unwrap_or(i64::MIN)),
            types: distinct_types(column_of(batch, column::TYPE)),
            h3: min(cells).zip(max(cells)),
        }
    }

    /// The ranges of both batches together.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self {
            row_count: self.row_count + other.row_count,
            timestamp: (self.timestamp.0.min(other.timestamp.0), self.timestamp.1.max(other.timestamp.1)),
            types: self.types.as_ref().zip(other.types.as_ref()).map(|(a, b)| a | b),
            h3: match (self.h3, other.h3) {
                (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
                (one, None) | (None, one) => one,
            },
        }
    }
}

/// Neighbouring rows mostly repeat a type, so a row costs one comparison of views.
fn distinct_types(types: &dyn Array) -> Option<BTreeSet<String>> {
    let types = types.as_string_view();
    let mut distinct = BTreeSet::new();
    let mut last_view = None;
    for (row, view) in types.views().iter().enumerate() {
        if last_view == Some(*view) {
            continue;
        }
        last_view = Some(*view);
        let text = types.value(row);
        if !distinct.contains(text) {
            if distinct.len() == TYPES_MAX {
                return None;
            }
            distinct.insert(text.to_owned());
        }
    }
    Some(distinct)
}
