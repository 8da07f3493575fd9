//! The candidates: per column, the encodings that fit its type, each with every compression.

use anyhow::Result;
use arrow::datatypes::DataType;
use hexflight_engine::column;
use parquet::{
    basic::{Compression, Encoding, ZstdLevel},
    file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion},
    schema::types::ColumnPath,
};

/// Rows of a row group and of a page, as the engine writes them.
const ROW_GROUP_ROWS: usize = 131_072;
const PAGE_ROWS: usize = 4_096;

/// How one column is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variant {
    /// Name of the encoding in the tables.
    pub(super) name: &'static str,
    /// `None`: a dictionary, and plain pages once it is full.
    encoding: Option<Encoding>,
    /// Size at which the dictionary is full, if not the writer's own. **Units**: bytes.
    dictionary_bytes: Option<usize>,
    pub(super) compression: Compression,
}

impl Variant {
    pub(super) const fn dictionary(compression: Compression) -> Self {
        Self { name: "dictionary", encoding: None, dictionary_bytes: None, compression }
    }

    /// A dictionary that gives up early where nearly every value is new.
    pub(super) const fn small_dictionary(bytes: usize, compression: Compression) -> Self {
        Self { name: "small dictionary", encoding: None, dictionary_bytes: Some(bytes), compression }
    }

    pub(super) const fn of(name: &'static str, encoding: Encoding, compression: Compression) -> Self {
        Self { name, encoding: Some(encoding), dictionary_bytes: None, compression }
    }

    /// Adds this variant for `column`.
    pub(super) fn apply(&self, builder: WriterPropertiesBuilder, column: &str) -> WriterPropertiesBuilder {
        let path = ColumnPath::from(column);
        let mut builder = builder.set_column_compression(path.clone(), self.compression);
        if let Some(bytes) = self.dictionary_bytes {
            builder = builder.set_column_dictionary_page_size_limit(path.clone(), bytes);
        }
        match self.encoding {
            None => builder.set_column_dictionary_enabled(path, true),
            Some(encoding) => {
                builder.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path, encoding)
            }
        }
    }

    /// `zstd 1` and the like.
    pub(super) fn compression_name(&self) -> &'static str {
        match self.compression {
            Compression::UNCOMPRESSED => "none",
            Compression::SNAPPY => "snappy",
            Compression::LZ4_RAW => "lz4_raw",
            Compression::ZSTD(level) if level.compression_level() == 1 => "zstd 1",
            Compression::ZSTD(_) => "zstd 3",
            _ => "other",
        }
    }
}

/// Properties that all variants share with the engine's files.
pub(super) fn base(statistics: EnabledStatistics) -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_statistics_enabled(statistics)
        .set_column_statistics_enabled(ColumnPath::from(column::METADATA), EnabledStatistics::None)
}

/// Every variant that fits a column of `data_type`.
///
/// # Errors
/// A zstd level that does not exist.
pub(super) fn of_type(data_type: &DataType) -> Result<Vec<Variant>> {
    let encodings: &[(&'static str, Encoding)] = match data_type {
        DataType::Float64 => {
            &[("plain", Encoding::PLAIN), ("byte_stream_split", Encoding::BYTE_STREAM_SPLIT)]
        }
        DataType::Int64 | DataType::Timestamp(..) => &[
            ("plain", Encoding::PLAIN),
            ("delta_binary_packed", Encoding::DELTA_BINARY_PACKED),
            ("byte_stream_split", Encoding::BYTE_STREAM_SPLIT),
        ],
        _ => &[
            ("plain", Encoding::PLAIN),
            ("delta_byte_array", Encoding::DELTA_BYTE_ARRAY),
            ("delta_length_byte_array", Encoding::DELTA_LENGTH_BYTE_ARRAY),
        ],
    };
    let mut variants = vec![];
    for compression in compressions()? {
        variants.push(Variant::dictionary(compression));
        variants.extend(encodings.iter().map(|(name, encoding)| Variant::of(name, *encoding, compression)));
    }
    Ok(variants)
}

fn compressions() -> Result<[Compression; 5]> {
    Ok([Compression::UNCOMPRESSED, Compression::LZ4_RAW, Compression::SNAPPY, zstd(1)?, zstd(3)?])
}

/// zstd at `level`.
///
/// # Errors
/// There is no such level.
pub(super) fn zstd(level: i32) -> Result<Compression> {
    Ok(Compression::ZSTD(ZstdLevel::try_new(level)?))
}
