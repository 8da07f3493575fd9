//! Parquet: a file, sent row group by row group.

use arrow::{array::RecordBatch, datatypes::SchemaRef, error::ArrowError};
use parquet::{arrow::ArrowWriter, basic::Compression, file::properties::WriterProperties};

use super::{super::columns::ResultColumns, ResultEncoder};

/// Rows of a row group: what readers scan well, and what is held here at most.
const GROUP_ROWS_MAX: usize = 128 << 10;

/// A row group ends when it holds as much, encoded. **Units**: bytes.
const GROUP_BYTES_MAX: usize = 16 << 20;

/// Writes a result as a file.
pub(super) struct ParquetEncoder {
    /// `None` once it is finished: the footer closes it.
    writer: Option<ArrowWriter<Vec<u8>>>,
}

impl ParquetEncoder {
    pub(super) fn new(columns: &ResultColumns) -> Result<Self, ArrowError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(GROUP_ROWS_MAX))
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), SchemaRef::clone(columns.schema()), Some(properties))?;
        Ok(Self { writer: Some(writer) })
    }
}

impl ResultEncoder for ParquetEncoder {
    fn write(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        let Some(writer) = &mut self.writer else { return Ok(Vec::new()) };
        writer.write(batch)?;
        if writer.memory_size() > GROUP_BYTES_MAX {
            writer.flush()?;
        }
        Ok(std::mem::take(writer.inner_mut()))
    }

    fn finish(&mut self, _truncated: bool) -> Result<Vec<u8>, ArrowError> {
        self.writer.take().map_or_else(|| Ok(Vec::new()), |writer| Ok(writer.into_inner()?))
    }
}
