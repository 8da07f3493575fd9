//! Whole files: one variant per column of the `events` table, and how much statistics they carry.

use anyhow::Result;
use arrow::array::RecordBatch;
use hexflight_engine::column;
use parquet::{
    basic::{Compression, Encoding},
    file::properties::{EnabledStatistics, WriterProperties},
    schema::types::ColumnPath,
};

use super::variant::{self, Variant};

/// The columns in the order of the table.
const COLUMNS: [&str; 8] = [
    column::TIMESTAMP,
    column::DEVICE_ID,
    column::TYPE,
    column::VALUE,
    column::LATITUDE,
    column::LONGITUDE,
    column::H3,
    column::METADATA,
];

/// Which columns have statistics per page; the others have them per row group.
#[derive(Debug, Clone, Copy)]
pub(super) enum StatisticsLevel {
    /// All of them.
    Page,
    /// All that are not text.
    PageOfNumbers,
    /// None of them.
    Chunk,
    /// No statistics at all.
    None,
}

impl StatisticsLevel {
    pub(super) const ALL: [Self; 4] = [Self::Page, Self::PageOfNumbers, Self::Chunk, Self::None];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::PageOfNumbers => "page, texts chunk",
            Self::Chunk => "chunk",
            Self::None => "none",
        }
    }
}

/// Properties of a file with `set` for its columns.
pub(super) fn whole_file(rows: &RecordBatch, set: &[Variant], level: StatisticsLevel) -> WriterProperties {
    let base = match level {
        StatisticsLevel::Page => variant::base(EnabledStatistics::Page),
        StatisticsLevel::PageOfNumbers => [column::DEVICE_ID, column::TYPE]
            .into_iter()
            .map(ColumnPath::from)
            .fold(variant::base(EnabledStatistics::Page), |builder, path| {
                builder.set_column_statistics_enabled(path, EnabledStatistics::Chunk)
            }),
        StatisticsLevel::Chunk => variant::base(EnabledStatistics::Chunk),
        StatisticsLevel::None => variant::base(EnabledStatistics::None),
    };
    let fields = rows.schema_ref().fields();
    let builder =
        fields.iter().zip(set).fold(base, |builder, (field, variant)| variant.apply(builder, field.name()));
    builder.build()
}

/// What the engine began with: dictionaries but for the time, zstd 1 throughout.
///
/// # Errors
/// A zstd level that does not exist.
pub(super) fn first_version() -> Result<Vec<Variant>> {
    let zstd = variant::zstd(1)?;
    let of = |name| match name {
        column::TIMESTAMP => Variant::of("delta_binary_packed", Encoding::DELTA_BINARY_PACKED, zstd),
        _ => Variant::dictionary(zstd),
    };
    Ok(COLUMNS.into_iter().map(of).collect())
}

/// The least work that stays far below 16 bytes per event: no entropy coding where the encoding has done its part.
pub(super) fn light(value: Variant) -> Vec<Variant> {
    let of = |name| match name {
        column::TIMESTAMP => {
            Variant::of("delta_binary_packed", Encoding::DELTA_BINARY_PACKED, Compression::UNCOMPRESSED)
        }
        column::LATITUDE | column::LONGITUDE | column::H3 => {
            Variant::of("plain", Encoding::PLAIN, Compression::LZ4_RAW)
        }
        column::VALUE => value,
        _ => Variant::dictionary(Compression::SNAPPY),
    };
    COLUMNS.into_iter().map(of).collect()
}
