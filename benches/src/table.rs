//! `Table`: what a measurement prints. Columns are as wide as their widest cell; numbers stand at the right.

use std::fmt;

/// Rows of text under a header.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    title: String,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Starts a table without rows.
    pub(crate) fn new(title: impl Into<String>, header: &[&str]) -> Self {
        let header = header.iter().map(|name| (*name).to_owned()).collect();
        Self { title: title.into(), header, rows: vec![] }
    }

    /// Adds a row, one cell per column.
    pub(crate) fn row(&mut self, cells: &[&dyn fmt::Display]) {
        assert!(
            cells.len() == self.header.len(),
            "{} cells under {} columns",
            cells.len(),
            self.header.len()
        );
        self.rows.push(cells.iter().map(|cell| format!("{cell}")).collect());
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self.rows.iter().chain([&self.header]).map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        (0..self.header.len()).map(width).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        writeln!(f, "{}", self.title)?;
        for row in [&self.header].into_iter().chain(&self.rows) {
            let mut line = String::from(" ");
            for (cell, width) in row.iter().zip(&widths) {
                let is_number = cell.starts_with(|c: char| c.is_ascii_digit() || c == '-');
                let padded = if is_number { format!(" {cell:>width$}") } else { format!(" {cell:<width$}") };
                line.push_str(&padded);
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_at_the_right() {
        let mut table = Table::new("rows", &["size", "rows/s"]);
        table.row(&[&"8 k", &1]);
        table.row(&[&"64 k", &1_000]);

        assert_eq!(table.to_string(), "rows\n  size rows/s\n   8 k      1\n  64 k   1000\n");
    }
}
