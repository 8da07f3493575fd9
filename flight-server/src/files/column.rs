//! The columns that an import fills, their spellings, and the one schema that all files of an import are brought into.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use hexflight_engine::column;

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

/// A column that a file can fill; `h3` is derived and not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Column {
    Timestamp,
    DeviceId,
    Type,
    Value,
    Latitude,
    Longitude,
    Metadata,
}

impl Column {
    /// All of them, in the order of [`schema`].
    pub(crate) const ALL: [Self; 7] = [
        Self::Timestamp,
        Self::DeviceId,
        Self::Type,
        Self::Value,
        Self::Latitude,
        Self::Longitude,
        Self::Metadata,
    ];

    /// The names under which files may have it; the first is the table's own. The same as for ingest.
    pub(crate) fn spellings(self) -> &'static [&'static str] {
        match self {
            Self::Timestamp => &[column::TIMESTAMP, "ts", "time"],
            Self::DeviceId => &[column::DEVICE_ID],
            Self::Type => &[column::TYPE, "metric_name"],
            Self::Value => &[column::VALUE, "metric_value"],
            Self::Latitude => &[column::LATITUDE, "lat"],
            Self::Longitude => &[column::LONGITUDE, "lon", "lng"],
            Self::Metadata => &[column::METADATA],
        }
    }

    /// The table's name for it.
    pub(crate) fn name(self) -> &'static str {
        self.spellings().first().copied().unwrap_or_default()
    }

    /// The column that is spelled so; letters count alike in either case.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let is_so = |spelling: &&str| spelling.eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(|column| column.spellings().iter().any(is_so))
    }

    /// Whether every event has it.
    pub(crate) fn is_required(self) -> bool {
        matches!(self, Self::Timestamp | Self::DeviceId | Self::Type | Self::Value)
    }

    /// Whether it is half of a position.
    pub(crate) fn is_half(self) -> bool {
        matches!(self, Self::Latitude | Self::Longitude)
    }

    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::DeviceId | Self::Type | Self::Metadata)
    }

    /// All spellings as text: `timestamp (or ts, time)`.
    pub(crate) fn described(self) -> String {
        match self.spellings() {
            [name, others @ ..] if !others.is_empty() => format!("{name} (or {})", others.join(", ")),
            _ => self.name().to_owned(),
        }
    }

    /// Its type in [`schema`].
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC"))),
            Self::DeviceId | Self::Type | Self::Metadata => DataType::Utf8,
            Self::Value | Self::Latitude | Self::Longitude => DataType::Float64,
        }
    }
}

/// What every file is brought into. Nullable throughout: which null breaks a rule is the engine's to say.
static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let fields = Column::ALL.map(|column| Field::new(column.name(), column.data_type(), true));
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
        for column in Column::ALL {
            for spelling in column.spellings() {
                assert!(!is_position(spelling), "{spelling}");
                let columns = Column::ALL.map(|other| {
                    let name = if other == column { *spelling } else { other.name() };
                    (name, sample(other))
                });
                let batch = RecordBatch::try_from_iter(columns).unwrap();
                assert!(normaliser.normalise(&batch).is_ok(), "{spelling}");
                assert_eq!(Column::of(spelling), Some(column));
                assert_eq!(Column::of(&spelling.to_uppercase()), Some(column));
            }
        }
    }

    fn sample(column: Column) -> ArrayRef {
        match column {
            Column::Timestamp => Arc::new(Int64Array::from(vec![1_700_000_000])),
            Column::DeviceId | Column::Type => Arc::new(StringArray::from(vec!["a"])),
            Column::Metadata => Arc::new(StringArray::from(vec!["{}"])),
            Column::Value | Column::Latitude | Column::Longitude => Arc::new(Float64Array::from(vec![1.0])),
        }
    }
}
