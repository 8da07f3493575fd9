//! NDJSON: one object per line, every line with every column. NaN and infinities, which JSON does not have, are null.

use arrow::{
    array::RecordBatch,
    error::ArrowError,
    json::{WriterBuilder, writer::LineDelimited},
};

use super::ResultEncoder;

/// Writes a result as lines.
pub(super) struct NdjsonEncoder;

impl ResultEncoder for NdjsonEncoder {
    fn write(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(Vec::new());
        writer.write(batch)?;
        Ok(writer.into_inner())
    }

    fn finish(&mut self, _truncated: bool) -> Result<Vec<u8>, ArrowError> {
        Ok(Vec::new())
    }
}
