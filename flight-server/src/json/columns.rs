//! `RowColumns`: rows become one batch in the spelling of the table, for the engine to check.

use std::{borrow::Cow, sync::Arc};

use arrow::array::{ArrayRef, Float64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder};
use hexflight_engine::column;

/// One row, its values in the types of the table.
#[derive(Debug, Default)]
pub(super) struct Row<'t> {
    /// **Units**: µs.
    pub(super) timestamp: i64,
    pub(super) device_id: Cow<'t, str>,
    pub(super) event_type: Cow<'t, str>,
    pub(super) value: f64,
    pub(super) latitude: Option<f64>,
    pub(super) longitude: Option<f64>,
    /// A JSON object.
    pub(super) metadata: Option<&'t str>,
}

/// Rows so far, by column.
#[derive(Debug)]
pub(super) struct RowColumns {
    timestamps: TimestampMicrosecondBuilder,
    device_ids: StringBuilder,
    types: StringBuilder,
    values: Float64Builder,
    latitudes: Float64Builder,
    longitudes: Float64Builder,
    metadata: StringBuilder,
}

impl Default for RowColumns {
    fn default() -> Self {
        Self {
            timestamps: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            device_ids: StringBuilder::new(),
            types: StringBuilder::new(),
            values: Float64Builder::new(),
            latitudes: Float64Builder::new(),
            longitudes: Float64Builder::new(),
            metadata: StringBuilder::new(),
        }
    }
}

impl RowColumns {
    /// Adds a row.
    pub(super) fn push(&mut self, row: &Row<'_>) {
        self.timestamps.append_value(row.timestamp);
        self.device_ids.append_value(&row.device_id);
        self.types.append_value(&row.event_type);
        self.values.append_value(row.value);
        self.latitudes.append_option(row.latitude);
        self.longitudes.append_option(row.longitude);
        self.metadata.append_option(row.metadata);
    }

    /// All rows.
    pub(super) fn finish(mut self) -> RecordBatch {
        let columns: [(&str, ArrayRef); 7] = [
            (column::TIMESTAMP, Arc::new(self.timestamps.finish())),
            (column::DEVICE_ID, Arc::new(self.device_ids.finish())),
            (column::TYPE, Arc::new(self.types.finish())),
            (column::VALUE, Arc::new(self.values.finish())),
            (column::LATITUDE, Arc::new(self.latitudes.finish())),
            (column::LONGITUDE, Arc::new(self.longitudes.finish())),
            (column::METADATA, Arc::new(self.metadata.finish())),
        ];
        RecordBatch::try_from_iter(columns).expect("every row is in every column")
    }
}
