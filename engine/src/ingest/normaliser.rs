//! `Normaliser`: the one entrance for rows. The engine calls it once per appended batch, before the WAL; replay never does,
//! so that a rule made stricter later cannot take back what was acknowledged.

use std::{sync::Arc, time::Duration};

use arrow::{
    array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray},
    compute::filter_record_batch,
};

use super::{cell::CellDeriver, columns::InputColumns, location, metadata, number, slack, text, timestamp};
use crate::{
    clock::Clock,
    error::{BadRow, EngineError, Result},
    schema::TableSpec,
};

/// Checks batches against the rules of one table and brings them into its WAL schema.
///
/// Safe to share between threads; calls do not wait for each other.
#[derive(Debug)]
pub struct Normaliser {
    spec: Arc<TableSpec>,
    max_future: Duration,
    clock: Arc<dyn Clock>,
    cells: CellDeriver,
}

impl Normaliser {
    /// Makes a normaliser for a table; events further than `max_future` ahead of the clock are refused.
    #[must_use]
    pub fn new(spec: Arc<TableSpec>, max_future: Duration, clock: Arc<dyn Clock>) -> Self {
        let cells = CellDeriver::new(spec.h3_resolution());
        Self { spec, max_future, clock, cells }
    }

    /// As [`Self::normalise`], but leaves out the rows that break a rule and says which. Nothing is left when all of them do.
    ///
    /// # Errors
    /// `Invalid` when the batch as a whole breaks a rule, for example by a column that is missing.
    pub fn normalise_valid(&self, input: &RecordBatch) -> Result<(Option<RecordBatch>, Vec<BadRow>)> {
        let mut batch = input.clone();
        let mut rows: Vec<usize> = (0..input.num_rows()).collect();
        let mut refused = Vec::new();
        loop {
            // Each round leaves out all rows that break one rule, so there are about as many rounds as rules.
            let bad = match self.normalise(&batch) {
                Ok(rows) => return Ok((Some(rows), in_order(refused))),
                Err(EngineError::InvalidRows(bad)) => bad.rows,
                Err(error) => return Err(error),
            };
            let mut keep = vec![true; rows.len()];
            for bad in bad {
                keep[bad.row] = false;
                refused.push(BadRow { row: rows[bad.row], ..bad });
            }
            let mut kept = keep.iter();
            rows.retain(|_| kept.next().copied().unwrap_or(false));
            if rows.is_empty() {
                return Ok((None, in_order(refused)));
            }
            batch = filter_record_batch(&batch, &BooleanArray::from(keep))?;
        }
    }

    /// Validates a batch and returns the same rows, in the same order, in the table's WAL schema.
    ///
    /// Columns are matched by name in any order; columns that are valid as they stand are shared, not copied. Row numbers
    /// in errors count from 0. A batch without rows is checked by its columns.
    ///
    /// # Errors
    /// `Invalid`, naming the column, the first bad rows, the value found and the rule.
    pub fn normalise(&self, input: &RecordBatch) -> Result<RecordBatch> {
        let columns = InputColumns::of(input)?;
        let row_count = input.num_rows();
        let now_micros = self.clock.now_micros();
        let timestamps = timestamp::read(&columns.timestamp, now_micros, self.max_future)?;
        let device_ids = text::read_identifier(&columns.device_id)?;
        let types = text::read_identifier(&columns.event_type)?;
        let values = number::read_value(&columns.value)?;
        let (latitudes, longitudes, cells) = match &columns.position {
            Some((latitude, longitude)) => {
                let (latitudes, longitudes) = location::read(latitude, longitude)?;
                let cells = self.cells.derive(&latitudes, &longitudes);
                (latitudes, longitudes, cells)
            }
            None => {
                let missing = Float64Array::new_null(row_count);
                (missing.clone(), missing, Int64Array::new_null(row_count))
            }
        };
        let metadata = match &columns.metadata {
            Some(column) => metadata::read(column)?,
            None => StringArray::new_null(row_count),
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(timestamps),
            Arc::new(device_ids),
            Arc::new(types),
            Arc::new(values),
            Arc::new(latitudes),
            Arc::new(longitudes),
            Arc::new(cells),
            Arc::new(metadata),
        ];
        debug_assert!(columns.iter().all(|column| column.len() == row_count));
        Ok(RecordBatch::try_new(Arc::clone(self.spec.wal_schema()), slack::release(columns))?)
    }
}

fn in_order(mut refused: Vec<BadRow>) -> Vec<BadRow> {
    refused.sort_unstable_by_key(|bad| bad.row);
    refused
}
