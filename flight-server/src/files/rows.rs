//! `Rows`: a piece of a file in the import's schema, which rows of the file they are, and which were left out on the way.

use std::collections::HashSet;

use arrow::{
    array::{BooleanArray, RecordBatch},
    compute::filter_record_batch,
    error::ArrowError,
};
use hexflight_engine::BadRow;

/// Characters of a value that an error repeats.
const SHOWN_CHARS_MAX: usize = 64;

/// A piece of a file on its way to the table.
#[derive(Debug)]
pub(crate) struct Rows {
    /// In the import's schema.
    pub(crate) batch: RecordBatch,
    /// Which rows of the file these are.
    pub(crate) numbers: RowNumbers,
    /// Rows that could not be brought into the schema, numbered within the file.
    pub(crate) bad: Vec<BadRow>,
    /// Bytes of the file that were read for them.
    pub(crate) bytes: u64,
}

/// Maps the rows of a batch to the rows of its file.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowNumbers {
    first: usize,
    /// Rows that were left out, relative to `first`, ascending.
    removed: Vec<usize>,
}

impl RowNumbers {
    /// The row of the file that row `index` of the batch is.
    pub(crate) fn in_file(&self, index: usize) -> usize {
        let shift =
            self.removed.iter().enumerate().take_while(|(before, row)| **row - before <= index).count();
        self.first + index + shift
    }
}

impl Rows {
    /// Takes the rows that are bad by themselves out of a batch whose first row is row `first` of the file. `bad` is numbered
    /// within the batch; of several rules that a row breaks the first is told.
    pub(crate) fn without_bad(
        batch: RecordBatch,
        first: usize,
        mut bad: Vec<BadRow>,
        bytes: u64,
    ) -> Result<Self, ArrowError> {
        let mut seen = HashSet::new();
        bad.retain(|row| seen.insert(row.row));
        bad.sort_unstable_by_key(|row| row.row);
        let removed: Vec<usize> = bad.iter().map(|row| row.row).collect();
        let batch = if removed.is_empty() {
            batch
        } else {
            let mut keep = vec![true; batch.num_rows()];
            for row in &removed {
                keep[*row] = false;
            }
            filter_record_batch(&batch, &BooleanArray::from(keep))?
        };
        for row in &mut bad {
            row.row += first;
        }
        Ok(Self { batch, numbers: RowNumbers { first, removed }, bad, bytes })
    }
}

/// A text value for an error: quoted, escaped, shortened.
pub(crate) fn quoted(text: &str) -> String {
    let ellipsis = if text.chars().nth(SHOWN_CHARS_MAX).is_some() { "..." } else { "" };
    let start: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    format!("\"{}\"{ellipsis}", start.escape_debug())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array};

    use super::*;

    #[test]
    fn rows_keep_their_numbers_in_the_file() {
        let batch = RecordBatch::try_from_iter([("n", numbers(100..110))]).unwrap();
        let bad = [7, 0, 1, 7].map(|row| BadRow {
            row,
            column: "value".to_owned(),
            value: "x".to_owned(),
            rule: "is not a number".to_owned(),
        });

        let rows = Rows::without_bad(batch, 100, bad.to_vec(), 0).unwrap();

        assert_eq!(rows.bad.iter().map(|bad| bad.row).collect::<Vec<_>>(), [100, 101, 107]);
        let kept = rows.batch.column(0).as_primitive::<arrow::datatypes::Int64Type>();
        for (index, number) in kept.values().iter().enumerate() {
            assert_eq!(rows.numbers.in_file(index) as i64, *number);
        }
    }

    fn numbers(range: std::ops::Range<i64>) -> arrow::array::ArrayRef {
        Arc::new(Int64Array::from_iter_values(range))
    }
}
