//! The table: columns as wide as their widest value, so rows are held until it is drawn. A full table is either the end of what
//! is shown (a terminal) or followed by another one (a file or pipe), so that memory stays bounded.

use std::io::Write;

use arrow::{
    array::{Array, RecordBatch},
    datatypes::SchemaRef,
    util::{display::FormatOptions, pretty::pretty_format_batches_with_options},
};

use super::{Flow, write_error};
use crate::console::CliError;

/// Rows of one table: more than anybody reads, and laid out in a blink.
const ROWS_MAX: usize = 10_000;

/// Values of one table, roughly. **Units**: bytes.
const BYTES_MAX: usize = 16 << 20;

/// What to do with the rows that a table has no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// Leave them out and say so.
    Stop,
    /// Draw the table and begin another.
    Continue,
}

/// See the module.
pub(super) struct TableWriter<W> {
    output: W,
    schema: SchemaRef,
    overflow: Overflow,
    held: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
    /// Whether a table was drawn or rows were left out.
    drawn: bool,
    cut: bool,
}

impl<W: Write> TableWriter<W> {
    pub(super) fn new(schema: &SchemaRef, overflow: Overflow, output: W) -> Self {
        let schema = SchemaRef::clone(schema);
        Self { output, schema, overflow, held: Vec::new(), rows: 0, bytes: 0, drawn: false, cut: false }
    }

    /// # Errors
    /// As [`Self::finish`].
    pub(super) fn write(&mut self, mut batch: RecordBatch) -> Result<Flow, CliError> {
        while batch.num_rows() > 0 {
            if self.is_full() {
                if self.overflow == Overflow::Stop {
                    self.cut = true;
                    return Ok(Flow::Enough);
                }
                self.draw()?;
            }
            let taken = batch.num_rows().min(ROWS_MAX - self.rows);
            let rest = batch.slice(taken, batch.num_rows() - taken);
            self.hold(batch.slice(0, taken));
            batch = rest;
        }
        Ok(Flow::More)
    }

    /// # Errors
    /// `Format` when a value cannot be shown, `Io` when the output fails.
    pub(super) fn finish(mut self) -> Result<(), CliError> {
        let rows = self.rows;
        if !self.drawn || rows > 0 {
            self.draw()?;
        }
        if self.cut {
            let more = format!(
                "… more rows: the first {rows} are shown; add a LIMIT, choose --format csv or write to a file"
            );
            writeln!(self.output, "{more}").map_err(write_error)?;
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.rows >= ROWS_MAX || self.bytes >= BYTES_MAX
    }

    fn hold(&mut self, batch: RecordBatch) {
        self.rows += batch.num_rows();
        self.bytes += value_bytes(&batch);
        self.held.push(batch);
    }

    fn draw(&mut self) -> Result<(), CliError> {
        let text = table_text(&self.schema, std::mem::take(&mut self.held))?;
        (self.rows, self.bytes, self.drawn) = (0, 0, true);
        writeln!(self.output, "{}", printable(&text)).map_err(write_error)
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
    Ok(pretty_format_batches_with_options(&batches, &display_options())?.to_string())
}

/// How values look in a table.
pub(super) fn display_options() -> FormatOptions<'static> {
    FormatOptions::default().with_null("NULL").with_display_error(true)
}

/// Takes the effect out of control characters: a device's id must not be able to rewrite the terminal.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Of the rows themselves, not of the buffers that they share with others.
fn value_bytes(batch: &RecordBatch) -> usize {
    let bytes_of = |column: &dyn Array| column.to_data().get_slice_memory_size().unwrap_or_default();
    batch.columns().iter().map(|column| bytes_of(column.as_ref())).sum()
}
