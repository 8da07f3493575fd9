//! `Columns`: simulated events as one Arrow batch, written column by column without an allocation per row.

use std::{fmt::Write, sync::Arc};

use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch, StringBuilder, TimestampMicrosecondArray},
    buffer::{BooleanBuffer, NullBuffer},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use hexflight_engine::column;

use super::{
    SimulatedEvent,
    fleet::{Device, FIRMWARES},
};

/// Bytes of a device id, about. Only a first guess of the buffer's size.
const ID_BYTES: usize = 16;

/// Buffers of a batch being made.
#[derive(Debug)]
pub(super) struct Columns {
    timestamps: Vec<i64>,
    device_ids: StringBuilder,
    types: StringBuilder,
    values: Vec<f64>,
    latitudes: Vec<f64>,
    longitudes: Vec<f64>,
    located: Vec<bool>,
    metadata: StringBuilder,
}

/// Columns that a simulated device sends: those of the `events` table without the derived one.
pub(super) fn schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")));
    Arc::new(Schema::new(vec![
        Field::new(column::TIMESTAMP, time, false),
        Field::new(column::DEVICE_ID, DataType::Utf8, false),
        Field::new(column::TYPE, DataType::Utf8, false),
        Field::new(column::VALUE, DataType::Float64, false),
        Field::new(column::LATITUDE, DataType::Float64, true),
        Field::new(column::LONGITUDE, DataType::Float64, true),
        Field::new(column::METADATA, DataType::Utf8, true),
    ]))
}

impl Columns {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            timestamps: Vec::with_capacity(rows),
            device_ids: StringBuilder::with_capacity(rows, rows * ID_BYTES),
            types: StringBuilder::with_capacity(rows, rows * ID_BYTES),
            values: Vec::with_capacity(rows),
            latitudes: Vec::with_capacity(rows),
            longitudes: Vec::with_capacity(rows),
            located: Vec::with_capacity(rows),
            metadata: StringBuilder::with_capacity(rows, rows),
        }
    }

    /// Adds an event; its metadata follows by one of the other two.
    pub(super) fn push(&mut self, event: &SimulatedEvent, device_id: &str) {
        self.timestamps.push(event.timestamp_micros);
        self.device_ids.append_value(device_id);
        self.types.append_value(event.metric.name());
        self.values.push(event.value);
        self.latitudes.push(event.position.map_or(0.0, |position| position.latitude()));
        self.longitudes.push(event.position.map_or(0.0, |position| position.longitude()));
        self.located.push(event.position.is_some());
    }

    pub(super) fn push_metadata(&mut self, device: &Device) {
        let firmware = FIRMWARES[device.firmware_index];
        // Writing into memory cannot fail.
        let _ = write!(self.metadata, r#"{{"firmware":"{firmware}","battery":{:.0}}}"#, device.charge);
        self.metadata.append_value("");
    }

    pub(super) fn push_no_metadata(&mut self) {
        self.metadata.append_null();
    }

    /// The batch.
    ///
    /// # Panics
    /// When columns differ in length: an event was added without a word on its metadata.
    pub(super) fn finish(mut self, schema: &SchemaRef) -> RecordBatch {
        let located = NullBuffer::new(BooleanBuffer::from(self.located));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(TimestampMicrosecondArray::from(self.timestamps).with_timezone("UTC")),
            Arc::new(self.device_ids.finish()),
            Arc::new(self.types.finish()),
            Arc::new(Float64Array::from(self.values)),
            Arc::new(Float64Array::new(self.latitudes.into(), Some(located.clone()))),
            Arc::new(Float64Array::new(self.longitudes.into(), Some(located))),
            Arc::new(self.metadata.finish()),
        ];
        RecordBatch::try_new(SchemaRef::clone(schema), columns).expect("columns match their schema")
    }
}
