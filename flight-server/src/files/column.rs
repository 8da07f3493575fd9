//! The names under which files have a whole position, and the one schema that all files of an import are brought into.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use hexflight_engine::ColumnRole;

/// The names under which files may have a whole position in one column or field.
const POSITIONS: [&str; 22] = [
    "location",
    "position",
    "point",
    "coordinates",
    "coords",
    "geometry",
    "geom",
    "the_geom",
    "wkt",
    "geography",
    "geog",
    "geo",
    "geopoint",
    "geo_point",
    "geolocation",
    "geo_location",
    "latlon",
    "lat_lon",
    "latlng",
    "lat_lng",
    "latlong",
    "lat_long",
];

/// What GeoJSON calls an array of longitude and latitude.
const COORDINATES: &str = "coordinates";

/// Whether a column of this name is meant to be a position.
pub(crate) fn is_position(name: &str) -> bool {
    POSITIONS.iter().any(|position| position.eq_ignore_ascii_case(name))
}

/// The order of arrays in a column of this name.
pub(crate) fn array_order(name: &str) -> ArrayOrder {
    if name.eq_ignore_ascii_case(COORDINATES) { ArrayOrder::LonLat } else { ArrayOrder::Unsaid }
}

/// What a bare array of two numbers means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ArrayOrder {
    /// Nobody said it.
    Unsaid,
    /// Longitude first, as in GeoJSON.
    LonLat,
}

/// The type of a column in [`schema`].
pub(super) fn data_type(column: ColumnRole) -> DataType {
    match column {
        ColumnRole::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC"))),
        ColumnRole::DeviceId | ColumnRole::Type | ColumnRole::Metadata => DataType::Utf8,
        ColumnRole::Value | ColumnRole::Latitude | ColumnRole::Longitude => DataType::Float64,
    }
}

/// What every file is brought into. Nullable throughout: which null breaks a rule is the engine's to say.
static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let fields = ColumnRole::ALL.map(|column| Field::new(column.name(), data_type(column), true));
    Arc::new(Schema::new(fields.to_vec()))
});

/// The schema that every file is brought into.
pub(crate) fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
    use hexflight_engine::{Normaliser, SystemClock, TableSpec};

    use super::*;

    #[test]
    fn every_spelling_is_one_that_ingest_takes() {
        let normaliser =
            Normaliser::new(Arc::new(TableSpec::events()), Duration::from_hours(1), Arc::new(SystemClock));
        for column in ColumnRole::ALL {
            for spelling in column.spellings() {
                assert!(!is_position(spelling), "{spelling}");
                let columns = ColumnRole::ALL.map(|other| {
                    let name = if other == column { *spelling } else { other.name() };
                    (name, sample(other))
                });
                let batch = RecordBatch::try_from_iter(columns).unwrap();
                assert!(normaliser.normalise(&batch).is_ok(), "{spelling}");
                assert_eq!(ColumnRole::of(spelling), Some(column));
                assert_eq!(ColumnRole::of(&spelling.to_uppercase()), Some(column));
            }
        }
    }

    fn sample(column: ColumnRole) -> ArrayRef {
        match column {
            ColumnRole::Timestamp => Arc::new(Int64Array::from(vec![1_700_000_000])),
            ColumnRole::DeviceId | ColumnRole::Type => Arc::new(StringArray::from(vec!["a"])),
            ColumnRole::Metadata => Arc::new(StringArray::from(vec!["{}"])),
            ColumnRole::Value | ColumnRole::Latitude | ColumnRole::Longitude => {
                Arc::new(Float64Array::from(vec![1.0]))
            }
        }
    }
}
