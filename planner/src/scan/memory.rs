//! Reads memory slices: skips what a dynamic filter has excluded, applies the predicate, projects, and joins small leftovers
//! into batches of full size. Slices that match entirely are passed on without a copy.

use std::{collections::VecDeque, sync::Arc};

use arrow::{
    array::{Array, AsArray, BooleanArray, RecordBatch, RecordBatchOptions},
    compute::{BatchCoalescer, prep_null_mask_filter},
    datatypes::SchemaRef,
};
use datafusion::{error::Result, physical_expr::PhysicalExpr};
use futures::{Stream, stream};

use super::{dynamic::DynamicPruner, layout::MemorySlice, scan_metrics::MemoryMetrics};

/// The memory part of one partition of a scan.
pub(super) struct MemoryScan {
    pub(super) slices: Arc<[MemorySlice]>,
    pub(super) predicate: Option<Arc<dyn PhysicalExpr>>,
    pub(super) dynamic: Option<DynamicPruner>,
    pub(super) projection: Arc<[usize]>,
    pub(super) schema: SchemaRef,
    pub(super) batch_rows: usize,
    pub(super) metrics: MemoryMetrics,
}

impl MemoryScan {
    /// Yields to other tasks after each slice, so that a stopped query ends soon even when nothing matches.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<RecordBatch>> + Send {
        let coalescer = BatchCoalescer::new(Arc::clone(&self.schema), self.batch_rows);
        let reading = Reading { scan: self, next: 0, coalescer, ready: VecDeque::new(), finished: false };
        stream::try_unfold(reading, async |mut reading| {
            loop {
                if let Some(batch) = reading.ready.pop_front() {
                    return Ok(Some((batch, reading)));
                }
                if reading.finished {
                    return Ok(None);
                }
                tokio::task::consume_budget().await;
                reading.advance()?;
            }
        })
    }
}

struct Reading {
    scan: MemoryScan,
    next: usize,
    coalescer: BatchCoalescer,
    ready: VecDeque<RecordBatch>,
    finished: bool,
}

impl Reading {
    /// Takes the next slice; after the last, whatever is still being joined.
    fn advance(&mut self) -> Result<()> {
        let Some(slice) = self.scan.slices.get(self.next).cloned() else {
            self.coalescer.finish_buffered_batch()?;
            self.collect_completed();
            self.finished = true;
            return Ok(());
        };
        self.next += 1;
        if let Some(dynamic) = self.scan.dynamic.as_mut()
            && dynamic.excludes(slice.source.zone())?
        {
            self.scan.metrics.slices_pruned_dynamic.add(1);
            return Ok(());
        }
        let elapsed = self.scan.metrics.elapsed_compute.clone();
        let timer = elapsed.timer();
        let rows = slice.rows();
        self.scan.metrics.rows.add(rows.num_rows());
        self.filter(&rows)?;
        timer.done();
        Ok(())
    }

    fn filter(&mut self, rows: &RecordBatch) -> Result<()> {
        let projected = rows.project(&self.scan.projection)?;
        let Some(predicate) = &self.scan.predicate else {
            self.ready.push_back(projected);
            return Ok(());
        };
        let matching = matching_rows(predicate, rows)?;
        match matching.true_count() {
            0 => {}
            all if all == rows.num_rows() => self.ready.push_back(projected),
            some if projected.num_columns() == 0 => self.ready.push_back(only_rows(&self.scan.schema, some)?),
            _ => {
                self.coalescer.push_batch_with_filter(projected, &matching)?;
                self.collect_completed();
            }
        }
        Ok(())
    }

    fn collect_completed(&mut self) {
        while let Some(batch) = self.coalescer.next_completed_batch() {
            self.ready.push_back(batch);
        }
    }
}

/// A row for which the predicate is null does not match.
fn matching_rows(predicate: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> Result<BooleanArray> {
    let matching = predicate.evaluate(rows)?.into_array(rows.num_rows())?;
    let matching = matching.as_boolean();
    Ok(match matching.null_count() {
        0 => matching.clone(),
        _ => prep_null_mask_filter(matching),
    })
}

/// A batch of rows without columns, for `count(*)`.
fn only_rows(schema: &SchemaRef, row_count: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(row_count));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), vec![], &options)?)
}
