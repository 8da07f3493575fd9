//! A small valid batch whose columns tests replace one at a time, and a normaliser whose clock stands still.

use std::{sync::Arc, time::Duration};

use arrow::{
    array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{Field, Float64Type, Int64Type, Schema, TimestampMicrosecondType},
};

use super::Normaliser;
use crate::{clock::Clock, schema::TableSpec};

/// What the clock shows: 2026-01-01T00:00:00Z. **Units**: µs.
pub(super) const NOW_MICROS: i64 = 1_767_225_600_000_000;

/// Timestamps of the sample: a few seconds before now. **Units**: s.
pub(super) const SECONDS: [i64; 4] = [1_767_225_590, 1_767_225_591, 1_767_225_592, 1_767_225_593];

#[derive(Debug)]
struct StoppedClock;

impl Clock for StoppedClock {
    fn now_micros(&self) -> i64 {
        NOW_MICROS
    }
}

/// A normaliser of the `events` table with the default limit of one hour.
pub(super) fn normaliser() -> Normaliser {
    Normaliser::new(Arc::new(TableSpec::events()), Duration::from_hours(1), Arc::new(StoppedClock))
}

/// Columns of a batch of four rows.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    columns: Vec<(String, ArrayRef)>,
}

impl Sample {
    /// All columns in the table's own spelling and types; the third row has no location and no metadata.
    pub(super) fn valid() -> Self {
        let micros = SECONDS.iter().map(|seconds| seconds * 1_000_000);
        let columns: [(&str, ArrayRef); 7] = [
            ("timestamp", Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC"))),
            ("device_id", Arc::new(StringArray::from(vec!["d1", "d2", "d3", "d1"]))),
            (
                "type",
                Arc::new(StringArray::from(vec!["temperature", "humidity", "temperature", "temperature"])),
            ),
            ("value", Arc::new(Float64Array::from(vec![20.5, 0.4, -3.0, 21.0]))),
            ("latitude", Arc::new(Float64Array::from(vec![Some(47.4), Some(-33.9), None, Some(47.4)]))),
            ("longitude", Arc::new(Float64Array::from(vec![Some(8.5), Some(151.2), None, Some(8.5)]))),
            (
                "metadata",
                Arc::new(StringArray::from(vec![
                    Some(r#"{"fw":"1.2"}"#),
                    Some("{}"),
                    None,
                    Some(r#"{"fw":"1.2"}"#),
                ])),
            ),
        ];
        Self { columns: columns.into_iter().map(|(name, column)| (name.to_owned(), column)).collect() }
    }

    /// Replaces a column, or adds one.
    pub(super) fn with(mut self, name: &str, column: impl Array + 'static) -> Self {
        let column: ArrayRef = Arc::new(column);
        match self.columns.iter_mut().find(|(known, _)| known == name) {
            Some((_, replaced)) => *replaced = column,
            None => self.columns.push((name.to_owned(), column)),
        }
        self
    }

    /// Adds a column although there may be one of that name.
    pub(super) fn and(mut self, name: &str, column: ArrayRef) -> Self {
        self.columns.push((name.to_owned(), column));
        self
    }

    /// Leaves columns out.
    pub(super) fn without(mut self, names: &[&str]) -> Self {
        self.columns.retain(|(name, _)| !names.contains(&name.as_str()));
        self
    }

    /// Gives a column another name.
    pub(super) fn renamed(mut self, from: &str, to: &str) -> Self {
        for (name, _) in self.columns.iter_mut().filter(|(name, _)| name == from) {
            to.clone_into(name);
        }
        self
    }

    /// The column of that name.
    pub(super) fn column(&self, name: &str) -> ArrayRef {
        self.columns.iter().find(|(known, _)| known == name).map(|(_, column)| Arc::clone(column)).unwrap()
    }

    /// The batch.
    pub(super) fn batch(&self) -> RecordBatch {
        let fields: Vec<Field> = self
            .columns
            .iter()
            .map(|(name, column)| Field::new(name, column.data_type().clone(), true))
            .collect();
        let columns = self.columns.iter().map(|(_, column)| Arc::clone(column)).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }

    /// What ingest makes of the batch.
    pub(super) fn normalised(&self) -> RecordBatch {
        normaliser().normalise(&self.batch()).unwrap()
    }

    /// Why ingest refuses the batch.
    pub(super) fn refusal(&self) -> String {
        refusal(&self.batch())
    }
}

/// Why ingest refuses a batch.
pub(super) fn refusal(batch: &RecordBatch) -> String {
    let error = normaliser().normalise(batch).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Invalid, "{error}");
    error.to_string()
}

/// One row of a normalised batch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) micros: i64,
    pub(super) device_id: String,
    pub(super) event_type: String,
    pub(super) value: f64,
    pub(super) position: Option<(f64, f64)>,
    pub(super) cell: Option<i64>,
    pub(super) metadata: Option<String>,
}

/// All rows of a normalised batch.
pub(super) fn rows(batch: &RecordBatch) -> Vec<Row> {
    let text = |index: usize, row: usize| {
        let column = batch.column(index).as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    let number = |index: usize, row: usize| {
        let column = batch.column(index).as_primitive::<Float64Type>();
        column.is_valid(row).then(|| column.value(row))
    };
    let cells = batch.column(6).as_primitive::<Int64Type>();
    (0..batch.num_rows())
        .map(|row| Row {
            micros: batch.column(0).as_primitive::<TimestampMicrosecondType>().value(row),
            device_id: text(1, row).unwrap(),
            event_type: text(2, row).unwrap(),
            value: number(3, row).unwrap(),
            position: number(4, row).zip(number(5, row)),
            cell: cells.is_valid(row).then(|| cells.value(row)),
            metadata: text(7, row),
        })
        .collect()
}
