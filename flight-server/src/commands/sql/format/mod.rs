//! Result formats: a table for people, CSV, JSON and Parquet for programs. Written by the writers of arrow and parquet, batch
//! by batch: no format holds more than a bounded part of a result.

mod table;
mod expanded;
mod csv;
mod json_text;
mod parquet;

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arrow::{
    array::RecordBatch,
    datatypes::SchemaRef,
    json::{
        Writer as JsonWriter, WriterBuilder as JsonBuilder,
        writer::{JsonArray, LineDelimited},
    },
};
use clap::ValueEnum;

use self::{
    csv::CsvWriter,
    expanded::ExpandedWriter,
    json_text::{TextColumns, Unions, has_union},
    parquet::ParquetWriter,
    table::TableWriter,
};
use super::sink::Sink;
use crate::console::CliError;

pub(super) use table::Overflow;
pub use table::table_text;

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OutputFormat {
    /// Boxes and lines, for people
    #[default]
    Table,
    /// Comma-separated values with a header line; NULL is empty, lists and structs are JSON
    Csv,
    /// One JSON array of objects
    Json,
    /// One JSON object per line
    Jsonl,
    /// A Parquet file
    Parquet,
}

/// Whether a writer takes more rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// It does.
    More,
    /// It has shown all that it will show of a result.
    Enough,
}

/// Writes one result.
pub(super) struct ResultWriter<'a> {
    kind: WriterKind<&'a mut Sink>,
    columns: TextColumns,
    closed: Arc<AtomicBool>,
}

enum WriterKind<W: Write + Send> {
    Table(TableWriter<W>),
    Expanded(ExpandedWriter<W>),
    Csv(Box<CsvWriter<W>>),
    Json(JsonWriter<W, JsonArray>),
    Jsonl(JsonWriter<W, LineDelimited>),
    Parquet(Box<ParquetWriter<W>>),
}

/// How results are laid out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) format: OutputFormat,
    /// Draw a table as one line per value.
    pub(super) expanded: bool,
    /// What a table does when it is full.
    pub(super) overflow: Overflow,
}

impl<'a> ResultWriter<'a> {
    /// Begins a result of `schema`.
    ///
    /// # Errors
    /// `Format` for a type that the format cannot hold.
    pub(super) fn new(layout: Layout, schema: &SchemaRef, output: &'a mut Sink) -> Result<Self, CliError> {
        // Every object has every column, so that readers need not guess.
        let json = || JsonBuilder::new().with_explicit_nulls(true).with_encoder_factory(Arc::new(Unions));
        let columns = TextColumns::of(schema, |data_type| match layout.format {
            OutputFormat::Json | OutputFormat::Jsonl => false,
            OutputFormat::Csv => data_type.is_nested(),
            OutputFormat::Table | OutputFormat::Parquet => has_union(data_type),
        });
        let schema = columns.schema();
        let closed = output.closed();
        let kind = match layout.format {
            OutputFormat::Table if layout.expanded => {
                WriterKind::Expanded(ExpandedWriter::new(schema, output))
            }
            OutputFormat::Table => WriterKind::Table(TableWriter::new(schema, layout.overflow, output)),
            OutputFormat::Csv => WriterKind::Csv(Box::new(CsvWriter::new(schema, output))),
            OutputFormat::Json => WriterKind::Json(json().build(output)),
            OutputFormat::Jsonl => WriterKind::Jsonl(json().build(output)),
            OutputFormat::Parquet => WriterKind::Parquet(Box::new(ParquetWriter::new(schema, output)?)),
        };
        Ok(Self { kind, columns, closed })
    }

    /// Writes a batch.
    ///
    /// # Errors
    /// `Format` when a value cannot be written in the format, `Io` when the sink fails.
    pub(super) fn write(&mut self, batch: RecordBatch) -> Result<Flow, CliError> {
        let batch = self.columns.convert(batch)?;
        match &mut self.kind {
            WriterKind::Table(writer) => return writer.write(batch),
            WriterKind::Expanded(writer) => writer.write(&batch)?,
            WriterKind::Csv(writer) => writer.write(&batch)?,
            WriterKind::Json(writer) => writer.write(&batch)?,
            WriterKind::Jsonl(writer) => writer.write(&batch)?,
            WriterKind::Parquet(writer) => writer.write(&batch)?,
        }
        Ok(Flow::More)
    }

    /// Whether nobody reads what is written.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Writes what is left: the table, or what ends a file.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub(super) fn finish(self) -> Result<(), CliError> {
        match self.kind {
            WriterKind::Table(writer) => writer.finish(),
            WriterKind::Expanded(writer) => writer.finish(),
            WriterKind::Csv(writer) => writer.finish(),
            WriterKind::Json(mut writer) => {
                writer.finish()?;
                writeln!(writer.into_inner()).map_err(write_error)
            }
            WriterKind::Jsonl(mut writer) => Ok(writer.finish()?),
            WriterKind::Parquet(writer) => writer.finish(),
        }
    }
}

/// Names a failed write.
fn write_error(source: std::io::Error) -> CliError {
    CliError::Io { action: "write the result".to_owned(), source }
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
