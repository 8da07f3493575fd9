//! CSV with a header line, also for an empty result. CSV has no lists and structs: those become JSON text.

use std::{io::Write, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder},
    csv::{Writer, WriterBuilder},
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef},
    error::ArrowError,
    json::writer::{EncoderOptions, make_encoder},
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
        let fields: Vec<FieldRef> = schema.fields().iter().map(flat_field).collect();
        Self {
            schema: Arc::new(Schema::new(fields)),
            writer: WriterBuilder::new().with_header(true).build(output),
            header_due: true,
        }
    }

    /// # Errors
    /// `Format` when a value has no text form or the output fails.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), CliError> {
        self.header_due = false;
        let columns = batch.columns().iter().zip(batch.schema_ref().fields());
        let columns = columns.map(|(column, field)| flat(field, column)).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        Ok(self.writer.write(&batch)?)
    }

    /// # Errors
    /// As [`Self::write`].
    pub(super) fn finish(mut self) -> Result<(), CliError> {
        if self.header_due {
            self.writer.write(&RecordBatch::new_empty(Arc::clone(&self.schema)))?;
        }
        Ok(())
    }
}

fn flat_field(field: &FieldRef) -> FieldRef {
    if field.data_type().is_nested() {
        Arc::new(Field::new(field.name(), DataType::Utf8, true))
    } else {
        Arc::clone(field)
    }
}

fn flat(field: &FieldRef, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if !field.data_type().is_nested() {
        return Ok(Arc::clone(column));
    }
    let options = EncoderOptions::default();
    let mut encoder = make_encoder(field, column.as_ref(), &options)?;
    let mut texts = StringBuilder::new();
    let mut text = Vec::new();
    for row in 0..column.len() {
        if column.is_null(row) {
            texts.append_null();
            continue;
        }
        text.clear();
        encoder.encode(row, &mut text);
        texts.append_value(String::from_utf8_lossy(&text));
    }
    Ok(Arc::new(texts.finish()))
}
