//! CSV (RFC 4180) with a header line, also of an empty result. NULL is an empty field; CSV has NaN and infinities, as text.

use arrow::{array::RecordBatch, csv::WriterBuilder, datatypes::SchemaRef, error::ArrowError};

use super::{super::columns::ResultColumns, ResultEncoder};

/// Writes a result as lines of fields.
pub(super) struct CsvEncoder {
    schema: SchemaRef,
    header_due: bool,
}

impl CsvEncoder {
    pub(super) fn new(columns: &ResultColumns) -> Self {
        Self { schema: SchemaRef::clone(columns.schema()), header_due: true }
    }
}

impl ResultEncoder for CsvEncoder {
    fn write(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        let mut output = Vec::new();
        let header = std::mem::take(&mut self.header_due);
        WriterBuilder::new().with_header(header).build(&mut output).write(batch)?;
        Ok(output)
    }

    fn finish(&mut self, _truncated: bool) -> Result<Vec<u8>, ArrowError> {
        if self.header_due {
            self.write(&RecordBatch::new_empty(SchemaRef::clone(&self.schema)))
        } else {
            Ok(Vec::new())
        }
    }
}
