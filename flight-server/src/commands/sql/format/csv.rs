//! CSV with a header line, also for an empty result.

use std::io::Write;

use arrow::{
    array::RecordBatch,
    csv::{Writer, WriterBuilder},
    datatypes::SchemaRef,
};

use crate::console::CliError;

/// See the module.
pub(super) struct CsvWriter<W: Write> {
    schema: SchemaRef,
    writer: Writer<W>,
    header_due: bool,
}

impl<W: Write> CsvWriter<W> {
    pub(super) fn new(schema: &SchemaRef, output: W) -> Self {
        let writer = WriterBuilder::new().with_header(true).build(output);
        Self { schema: SchemaRef::clone(schema), writer, header_due: true }
    }

    /// # Errors
    /// `Format` when a value has no text form or the output fails.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), CliError> {
        self.header_due = false;
        Ok(self.writer.write(batch)?)
    }

    /// # Errors
    /// As [`Self::write`].
    pub(super) fn finish(mut self) -> Result<(), CliError> {
        if self.header_due {
            self.writer.write(&RecordBatch::new_empty(self.schema))?;
        }
        Ok(())
    }
}
