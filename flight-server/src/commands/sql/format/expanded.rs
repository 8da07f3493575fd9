//! The expanded table: one line per value, for rows too wide for a terminal. Holds nothing.

use std::io::Write;

use arrow::{array::RecordBatch, datatypes::SchemaRef, util::display::ArrayFormatter};

use super::{
    table::{display_options, printable},
    write_error,
};
use crate::console::CliError;

/// See the module.
pub(super) struct ExpandedWriter<W> {
    output: W,
    /// Column names, filled up to one width.
    names: Vec<String>,
    rows: usize,
}

impl<W: Write> ExpandedWriter<W> {
    pub(super) fn new(schema: &SchemaRef, output: W) -> Self {
        let names = || schema.fields().iter().map(|field| printable(field.name()));
        let width = names().map(|name| name.chars().count()).max().unwrap_or_default();
        let names = names().map(|name| format!("{name:<width$}")).collect();
        Self { output, names, rows: 0 }
    }

    /// # Errors
    /// `Format` when a value cannot be shown, `Io` when the output fails.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), CliError> {
        let options = display_options();
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            self.rows += 1;
            let mut text = format!("-[ row {} ]-\n", self.rows);
            for (name, column) in self.names.iter().zip(&columns) {
                let value = printable(&column.value(row).to_string());
                let indent = format!("\n{} | ", " ".repeat(name.chars().count()));
                text.push_str(&format!("{name} | {}\n", value.replace('\n', &indent)));
            }
            self.output.write_all(text.as_bytes()).map_err(write_error)?;
        }
        Ok(())
    }

    /// # Errors
    /// `Io` when the output fails.
    pub(super) fn finish(mut self) -> Result<(), CliError> {
        if self.rows == 0 {
            writeln!(self.output, "(no rows)").map_err(write_error)?;
        }
        Ok(())
    }
}
