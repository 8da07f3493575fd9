//! Writers of results, one per format. Each takes batches as they come and gives out the bytes that are ready, so that no more
//! than a batch, or a row group, is held.

mod json;
mod ndjson;
mod csv;
mod arrow_stream;
mod parquet_file;

use arrow::{array::RecordBatch, error::ArrowError};

use super::{columns::ResultColumns, format::ResultFormat};

pub(super) use json::SqlResult;

/// Writes a result.
pub(super) trait ResultEncoder: Send {
    /// Adds a batch; returns what is ready to be sent, which may be nothing yet.
    ///
    /// # Errors
    /// A type that the format does not have.
    fn write(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError>;

    /// Ends the result, of which `truncated` says that rows are missing; returns what is left to be sent.
    ///
    /// # Errors
    /// As [`ResultEncoder::write`].
    fn finish(&mut self, truncated: bool) -> Result<Vec<u8>, ArrowError>;
}

/// The writer of a result in `format`.
///
/// # Errors
/// A type that the format does not have.
pub(super) fn encoder(
    format: ResultFormat,
    columns: &ResultColumns,
) -> Result<Box<dyn ResultEncoder>, ArrowError> {
    Ok(match format {
        ResultFormat::Json => Box::new(json::JsonEncoder::new(columns)),
        ResultFormat::Ndjson => Box::new(ndjson::NdjsonEncoder),
        ResultFormat::Csv => Box::new(csv::CsvEncoder::new(columns)),
        ResultFormat::Arrow => Box::new(arrow_stream::ArrowEncoder::new(columns)?),
        ResultFormat::Parquet => Box::new(parquet_file::ParquetEncoder::new(columns)?),
    })
}

/// Whether a format is text: cells and times are written as such.
pub(super) fn is_text(format: ResultFormat) -> bool {
    matches!(format, ResultFormat::Json | ResultFormat::Ndjson | ResultFormat::Csv)
}
