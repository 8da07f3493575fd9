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
pub enum Format {
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
    kind: Kind<&'a mut Sink>,
    columns: TextColumns,
    closed: Arc<AtomicBool>,
}

enum Kind<W: Write + Send> {
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
    pub(super) format: Format,
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
            Format::Json | Format::Jsonl => false,
            Format::Csv => data_type.is_nested(),
            Format::Table | Format::Parquet => has_union(data_type),
        });
        let schema = columns.schema();
        let closed = output.closed();
        let kind = match layout.format {
            Format::Table if layout.expanded => Kind::Expanded(ExpandedWriter::new(schema, output)),
            Format::Table => Kind::Table(TableWriter::new(schema, layout.overflow, output)),
            Format::Csv => Kind::Csv(Box::new(CsvWriter::new(schema, output))),
            Format::Json => Kind::Json(json().build(output)),
            Format::Jsonl => Kind::Jsonl(json().build(output)),
            Format::Parquet => Kind::Parquet(Box::new(ParquetWriter::new(schema, output)?)),
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
            Kind::Table(writer) => return writer.write(batch),
            Kind::Expanded(writer) => writer.write(&batch)?,
            Kind::Csv(writer) => writer.write(&batch)?,
            Kind::Json(writer) => writer.write(&batch)?,
            Kind::Jsonl(writer) => writer.write(&batch)?,
            Kind::Parquet(writer) => writer.write(&batch)?,
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
            Kind::Table(writer) => writer.finish(),
            Kind::Expanded(writer) => writer.finish(),
            Kind::Csv(writer) => writer.finish(),
            Kind::Json(mut writer) => {
                writer.finish()?;
                writeln!(writer.into_inner()).map_err(write_error)
            }
            Kind::Jsonl(mut writer) => Ok(writer.finish()?),
            Kind::Parquet(writer) => writer.finish(),
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
