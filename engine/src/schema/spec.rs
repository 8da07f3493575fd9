//! `TableSpec`: the columns of a table as queries see them, as the WAL holds them, and the numbers fixed at its creation.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::TableName;

/// Column names of the `events` table.
pub mod column {
    /// When it happened.
    pub const TIMESTAMP: &str = "timestamp";
    /// Who measured.
    pub const DEVICE_ID: &str = "device_id";
    /// What was measured.
    pub const TYPE: &str = "type";
    /// The measured value.
    pub const VALUE: &str = "value";
    /// Degrees, WGS84.
    pub const LATITUDE: &str = "latitude";
    /// Degrees, WGS84.
    pub const LONGITUDE: &str = "longitude";
    /// The H3 cell of the position, derived.
    pub const H3: &str = "h3";
    /// A JSON object as text.
    pub const METADATA: &str = "metadata";
}

/// H3 resolution of a new table: hexagons of about 0.1 km².
const H3_RESOLUTION_DEFAULT: u8 = 9;

/// Width of a time bucket in µs: one hour of event time.
const BUCKET_MICROS_DEFAULT: i64 = 3_600_000_000;

/// A table: name, columns, and what is fixed at its creation.
#[derive(Debug, Clone)]
pub struct TableSpec {
    name: TableName,
    query_schema: SchemaRef,
    wal_schema: SchemaRef,
    h3_resolution: u8,
    bucket_micros: i64,
}

impl TableSpec {
    /// The `events` table with the default H3 resolution and time bucket.
    #[must_use]
    pub fn events() -> Self {
        Self {
            name: TableName::new("events"),
            query_schema: events_schema(&DataType::Utf8View),
            wal_schema: events_schema(&DataType::Utf8),
            h3_resolution: H3_RESOLUTION_DEFAULT,
            bucket_micros: BUCKET_MICROS_DEFAULT,
        }
    }

    /// The same columns under another name.
    #[cfg(test)]
    pub(crate) fn named(name: &str) -> Self {
        Self { name: TableName::new(name), ..Self::events() }
    }

    /// Name of the table.
    #[must_use]
    pub fn name(&self) -> &TableName {
        &self.name
    }

    /// Columns as memory and queries hold them: text as `Utf8View`.
    #[must_use]
    pub fn query_schema(&self) -> &SchemaRef {
        &self.query_schema
    }

    /// Columns as the WAL holds them: text as `Utf8`, a third smaller than views.
    #[must_use]
    pub fn wal_schema(&self) -> &SchemaRef {
        &self.wal_schema
    }

    /// H3 resolution of the `h3` column.
    #[must_use]
    pub fn h3_resolution(&self) -> u8 {
        self.h3_resolution
    }

    /// Width of a time bucket. **Units**: µs.
    #[must_use]
    pub fn bucket_micros(&self) -> i64 {
        self.bucket_micros
    }
}

fn events_schema(text: &DataType) -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")));
    Arc::new(Schema::new(vec![
        Field::new(column::TIMESTAMP, time, false),
        Field::new(column::DEVICE_ID, text.clone(), false),
        Field::new(column::TYPE, text.clone(), false),
        Field::new(column::VALUE, DataType::Float64, false),
        Field::new(column::LATITUDE, DataType::Float64, true),
        Field::new(column::LONGITUDE, DataType::Float64, true),
        Field::new(column::H3, DataType::Int64, true),
        Field::new(column::METADATA, text.clone(), true),
    ]))
}
