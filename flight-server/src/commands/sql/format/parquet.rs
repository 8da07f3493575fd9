//! One Parquet file, for tools that read nothing else. Row groups are cut early enough to bound what is held.

use std::io::Write;

use arrow::{array::RecordBatch, datatypes::SchemaRef, error::ArrowError};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};

use crate::console::CliError;

/// Rows of a row group: as many as give readers something to skip.
const GROUP_ROWS_MAX: usize = 1 << 20;

/// What is held of a row group before it is written. **Units**: bytes.
const GROUP_BYTES_MAX: usize = 64 << 20;

/// See the module.
pub(super) struct ParquetWriter<W: Write + Send> {
    writer: ArrowWriter<W>,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// # Errors
    /// `Format` for a column type that Parquet does not have.
    pub(super) fn new(schema: &SchemaRef, output: W) -> Result<Self, CliError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS_MAX))
            .build();
        let writer =
            ArrowWriter::try_new(output, SchemaRef::clone(schema), Some(properties)).map_err(failed)?;
        Ok(Self { writer })
    }

    /// # Errors
    /// `Format` when the output fails.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), CliError> {
        self.writer.write(batch).map_err(failed)?;
        if self.writer.memory_size() > GROUP_BYTES_MAX {
            self.writer.flush().map_err(failed)?;
        }
        Ok(())
    }

    /// # Errors
    /// `Format` when the output fails.
    pub(super) fn finish(self) -> Result<(), CliError> {
        self.writer.close().map(drop).map_err(failed)
    }
}

fn failed(error: ParquetError) -> CliError {
    CliError::Format(ArrowError::from(error))
}
