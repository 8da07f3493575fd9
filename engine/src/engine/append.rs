//! What an append does with its batch before it goes into the log: it is normalised and made ready for memory.

use std::sync::Arc;

use arrow::array::RecordBatch;
use metrics::histogram;

use super::Engine;
use crate::{
    budget::Reservation,
    error::{BadRow, EngineError, Result},
    ingest::{OnBadRow, memory_of, to_query},
    memory::MemoryBatch,
    tables::Table,
    tasks::blocking,
    time::{self, timeout_at},
};

/// Rows up to which a batch is normalised where it arrives: about 0.1 ms.
const INLINE_ROWS_MAX: usize = 1_024;

impl Engine {
    /// Normalises a batch and readies it for memory; a large one on a blocking thread, so that the caller's runtime goes on.
    pub(super) async fn prepare(
        &self,
        table: &Table,
        batch: &RecordBatch,
        memory: Reservation,
        on_bad_row: OnBadRow,
        deadline: time::Instant,
    ) -> Result<(Option<(RecordBatch, MemoryBatch)>, Vec<BadRow>)> {
        let (spec, normaliser, input) =
            (Arc::clone(&table.spec), Arc::clone(&table.normaliser), batch.clone());
        let work = move || {
            let started = time::now();
            let (rows, bad_rows) = match on_bad_row {
                OnBadRow::Refuse => (Some(normaliser.normalise(&input)?), vec![]),
                OnBadRow::Skip => normaliser.normalise_valid(&input)?,
            };
            drop(input);
            let Some(rows) = rows.filter(|rows| rows.num_rows() > 0) else { return Ok((None, bad_rows)) };
            // What came is gone, and narrow types may have grown.
            let memory = memory.resized(memory_of(&rows));
            let memory_batch = MemoryBatch::new(to_query(&spec, &rows)?, Some(memory));
            histogram!("hexflight_ingest_normalise_seconds").record(started.elapsed());
            Ok((Some((rows, memory_batch)), bad_rows))
        };
        if batch.num_rows() <= INLINE_ROWS_MAX {
            return work();
        }
        let turn = timeout_at(deadline, self.shared.import.normalising.acquire()).await;
        // Never closed: an error here would mean so.
        let _turn = turn.map_err(|_| self.delayed("a core"))?.map_err(|_| EngineError::Closed)?;
        blocking("normalise", work).await
    }
}
