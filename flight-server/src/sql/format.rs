//! Result formats: a table for people, CSV and JSON lines for programs. All written by arrow's own writers.

use std::io::Write;

use arrow::{
    array::RecordBatch,
    csv,
    datatypes::SchemaRef,
    json::{WriterBuilder, writer::LineDelimited},
    util::{display::FormatOptions, pretty::pretty_format_batches_with_options},
};
use clap::ValueEnum;

use crate::console::{CliError, stdout_error};

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Boxes and lines, for people.
    #[default]
    Table,
    /// Comma-separated values with a header line.
    Csv,
    /// One JSON object per line.
    Json,
}

/// Writes batches as they come; a table is held until [`Self::finish`], as its columns' widths need all rows.
#[derive(Debug)]
pub struct ResultWriter {
    format: Format,
    schema: SchemaRef,
    header_due: bool,
    held: Vec<RecordBatch>,
}

impl ResultWriter {
    /// Makes a writer for results of `schema`.
    #[must_use]
    pub fn new(format: Format, schema: &SchemaRef) -> Self {
        Self { format, schema: SchemaRef::clone(schema), header_due: true, held: Vec::new() }
    }

    /// Writes a batch.
    ///
    /// # Errors
    /// `Format` when a value cannot be written in the format, `Io` when `output` fails.
    pub fn write(&mut self, batch: RecordBatch, output: &mut impl Write) -> Result<(), CliError> {
        match self.format {
            Format::Table => self.held.push(batch),
            Format::Csv => self.write_csv(&batch, output)?,
            Format::Json => {
                // Every line has every column, so that readers need not guess.
                let mut writer =
                    WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(output);
                writer.write(&batch)?;
                writer.finish()?;
            }
        }
        Ok(())
    }

    /// Writes what is left: the table, or the header of an empty CSV.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn finish(mut self, output: &mut impl Write) -> Result<(), CliError> {
        match self.format {
            Format::Table => {
                writeln!(output, "{}", table_text(&self.schema, self.held)?).map_err(stdout_error)?;
            }
            Format::Csv if self.header_due => {
                let empty = RecordBatch::new_empty(SchemaRef::clone(&self.schema));
                self.write_csv(&empty, output)?;
            }
            Format::Csv | Format::Json => {}
        }
        output.flush().map_err(stdout_error)
    }

    fn write_csv(&mut self, batch: &RecordBatch, output: &mut impl Write) -> Result<(), CliError> {
        let header = std::mem::take(&mut self.header_due);
        csv::WriterBuilder::new().with_header(header).build(output).write(batch)?;
        Ok(())
    }
}

/// Draws a table; one without rows still shows its columns.
///
/// # Errors
/// `Format` when a value cannot be shown.
pub fn table_text(schema: &SchemaRef, mut batches: Vec<RecordBatch>) -> Result<String, CliError> {
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(SchemaRef::clone(schema)));
    }
    let options = FormatOptions::default().with_null("NULL").with_display_error(true);
    Ok(pretty_format_batches_with_options(&batches, &options)?.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{Float64Array, StringArray, TimestampMicrosecondArray},
        datatypes::{DataType, Field, Schema, TimeUnit},
    };

    use super::*;

    #[test]
    fn table_shows_columns_and_nulls() {
        let expected = "\
+-----------+-------+----------------------+
| device_id | value | timestamp            |
+-----------+-------+----------------------+
| a         | 1.5   | 2026-01-01T12:00:00Z |
| b,c       | NULL  | 2026-01-01T12:00:01Z |
+-----------+-------+----------------------+
";
        assert_eq!(written(Format::Table, vec![batch()]), expected);
    }

    #[test]
    fn csv_quotes_and_has_one_header() {
        let expected = "device_id,value,timestamp\na,1.5,2026-01-01T12:00:00Z\n\"b,c\",,2026-01-01T12:00:01Z\n\
                        a,1.5,2026-01-01T12:00:00Z\n\"b,c\",,2026-01-01T12:00:01Z\n";
        assert_eq!(written(Format::Csv, vec![batch(), batch()]), expected);
    }

    #[test]
    fn json_is_one_object_per_line() {
        let text = written(Format::Json, vec![batch()]);
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains(r#""value":null"#), "{text}");
        assert_eq!(
            text.lines().next(),
            Some(r#"{"device_id":"a","value":1.5,"timestamp":"2026-01-01T12:00:00Z"}"#)
        );
    }

    #[test]
    fn empty_results_show_their_columns() {
        assert!(written(Format::Table, vec![]).contains("| device_id | value | timestamp |"));
        assert_eq!(written(Format::Csv, vec![]), "device_id,value,timestamp\n");
        assert_eq!(written(Format::Json, vec![]), "");
    }

    fn written(format: Format, batches: Vec<RecordBatch>) -> String {
        let mut output = Vec::new();
        let mut writer = ResultWriter::new(format, batch().schema_ref());
        batches.into_iter().for_each(|batch| writer.write(batch, &mut output).unwrap());
        writer.finish(&mut output).unwrap();
        String::from_utf8(output).unwrap()
    }

    fn batch() -> RecordBatch {
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")));
        let schema = Schema::new(vec![
            Field::new("device_id", DataType::Utf8, false),
            Field::new("value", DataType::Float64, true),
            Field::new("timestamp", time, false),
        ]);
        let noon = 1_767_268_800_000_000;
        let times = TimestampMicrosecondArray::from(vec![noon, noon + 1_000_000]).with_timezone("UTC");
        RecordBatch::try_new(
            Arc::new(schema),
            vec![
                Arc::new(StringArray::from(vec!["a", "b,c"])),
                Arc::new(Float64Array::from(vec![Some(1.5), None])),
                Arc::new(times),
            ],
        )
        .unwrap()
    }
}
