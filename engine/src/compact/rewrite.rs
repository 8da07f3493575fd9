//! One rewrite: reads files, sorts their rows together, writes others, and replaces the first by the second in one Delta version.
//!
//! Until the commit nothing of it is visible, and what it wrote is deleted when it ends early. After it the old files stay for those
//! who still read them, until a vacuum.

use std::{ops::Range, sync::Arc};

use arrow::array::RecordBatch;
use metrics::{counter, histogram};
use tokio_util::sync::CancellationToken;

use super::{CompactSummary, ROW_BYTES, share_bytes, tree::Cuts};
use crate::{
    budget::{Admission, Reservation},
    delta::{Change, DataFile, Rewrite, TableState, rewrite_app_id},
    error::{EngineError, ErrorKind, Result},
    file::{Attempt, Encoded, NewFile},
    rollup::RollupCheck,
    schema::timestamps,
    segment::{Groups, Reader, SortedRows},
    tables::{CommitEnd, Table},
    tasks::blocking,
    time,
};

/// A rewrite under way.
#[derive(Debug)]
pub(super) struct RewriteRun<'a> {
    admission: &'a Admission,
    table: &'a Table,
    inputs: Vec<Arc<DataFile>>,
    cuts: Arc<Cuts>,
    /// Version of the rewrite txn that the plan was made at.
    expected: i64,
    stop: &'a CancellationToken,
    /// Files that were or are being put.
    put: Attempt,
}

impl<'a> RewriteRun<'a> {
    /// A rewrite of files that are active in `state`.
    pub(super) fn new(
        admission: &'a Admission,
        table: &'a Table,
        state: &TableState,
        inputs: Vec<Arc<DataFile>>,
        cuts: Cuts,
        stop: &'a CancellationToken,
    ) -> Self {
        let expected = state.txn(&rewrite_app_id(table.spec.name())).unwrap_or(0);
        Self { admission, table, inputs, cuts: Arc::new(cuts), expected, stop, put: Attempt::default() }
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// `Exhausted` when there is no memory or appends wait for it, `Corrupt` when an input is not what the log says, `Conflict`
    /// when another was first, `Closed` at shutdown: nothing has changed then. `Unavailable` when the store fails: nothing has
    /// changed either, unless the commit comes to light later.
    pub(super) async fn run(mut self) -> Result<CompactSummary> {
        let started = time::now();
        let files = match self.write().await {
            Ok(files) => files,
            Err(error) => {
                self.put.discard(&self.table.log).await;
                return Err(error);
            }
        };
        let summary = self.commit(&files).await?;
        histogram!("hexflight_compact_seconds").record(started.elapsed());
        counter!("hexflight_compact_rewrites_total").increment(1);
        counter!("hexflight_compact_rows_total").increment(summary.rows);
        counter!("hexflight_compact_files_in_total").increment(summary.files_in as u64);
        counter!("hexflight_compact_files_out_total").increment(summary.files_out as u64);
        counter!("hexflight_compact_bytes_in_total").increment(summary.bytes_in);
        counter!("hexflight_compact_bytes_out_total").increment(summary.bytes_out);
        tracing::debug!(?summary, seconds = started.elapsed().as_secs_f64(), "compacted");
        Ok(summary)
    }

    async fn write(&mut self) -> Result<Vec<DataFile>> {
        let expected: u64 = self.inputs.iter().filter_map(|file| file.row_count).sum();
        let mut memory = self.reserve(expected).await?;
        let batches = self.read(&mut memory).await?;
        let (cuts, spec) = (Arc::clone(&self.cuts), Arc::clone(&self.table.spec));
        let sorted = blocking("compact sort", move || {
            let groups = groups(&cuts, &batches);
            Ok(SortedRows::of(&spec, batches, &groups))
        });
        let sorted = Arc::new(sorted.await?);
        let mut files = vec![];
        for places in sorted.groups() {
            self.check()?;
            let file = self.encode(Arc::clone(&sorted), places.clone()).await?;
            self.put.begin(file.locations());
            files.push(file.put(&self.table.log).await?);
        }
        self.check()?;
        let written: u64 = files.iter().filter_map(|file| file.row_count).sum();
        assert!(written == expected, "a rewrite of {expected} rows wrote {written}");
        Ok(files)
    }

    async fn reserve(&self, rows: u64) -> Result<Reservation> {
        let encoded: u64 = self.inputs.iter().map(|file| file.size_bytes).sum();
        let bytes = usize::try_from(rows).unwrap_or(usize::MAX).saturating_mul(ROW_BYTES)
            + usize::try_from(encoded).unwrap_or(usize::MAX);
        self.admission.reserve_behind(bytes, self.stop).await
    }

    /// Reads every input, checks its bytes, and its rows by what its rollup says of them: what is damaged must not become
    /// the truth by being written anew. `memory` grows by what their texts take.
    async fn read(&self, memory: &mut Reservation) -> Result<Vec<RecordBatch>> {
        let mut batches = vec![];
        for file in &self.inputs {
            self.check()?;
            let (path, schema) = (file.location.to_string(), Arc::clone(self.table.spec.query_schema()));
            let bytes = file.bytes(&self.table.log.store).await?;
            let reader = Reader::open(&path, &schema, bytes)?;
            memory.try_grow(reader.decoded_bytes(), 1.0)?;
            let row_count = file.row_count.unwrap_or(0);
            let rollup = self.rollup(file).await?;
            let read = blocking("compact read", move || {
                let rows = reader.read(row_count)?;
                match rollup.and_then(|rollup| rollup.difference(&rows)) {
                    Some(detail) => Err(EngineError::Corrupt { path, detail }),
                    None => Ok(rows),
                }
            });
            batches.extend(read.await?);
        }
        Ok(batches)
    }

    /// The rollup of an input. `None`: it has none that can be compared with its rows.
    async fn rollup(&self, file: &DataFile) -> Result<Option<RollupCheck>> {
        match RollupCheck::read(&self.table.log.store, file).await {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::warn!(%error, "a rollup cannot be compared with its rows; the merge makes a new one");
                Ok(None)
            }
            read => read,
        }
    }

    /// The one place that makes a file of rewritten rows.
    async fn encode(&self, sorted: Arc<SortedRows>, places: Range<usize>) -> Result<NewFile> {
        let spec = Arc::clone(&self.table.spec);
        let encoded = blocking("compact encode", move || Encoded::of_sorted(&spec, &sorted, places)).await?;
        Ok(NewFile::new(&self.table.log, encoded))
    }

    async fn commit(self, files: &[DataFile]) -> Result<CompactSummary> {
        let rewrite = Rewrite { removes: &self.inputs, expected: self.expected };
        let change = Change { files, rewrite: Some(rewrite), ..Change::default() };
        match CommitEnd::of(self.table, &change).await {
            CommitEnd::Committed(_) => {}
            CommitEnd::Refused(error) => {
                self.put.discard(&self.table.log).await;
                return Err(error);
            }
            CommitEnd::Unknown(error) => return Err(error),
        }
        Ok(CompactSummary {
            rewrites: 1,
            files_in: self.inputs.len(),
            files_out: files.len(),
            rows: files.iter().filter_map(|file| file.row_count).sum(),
            bytes_in: self.inputs.iter().map(|file| file.size_bytes).sum(),
            bytes_out: files.iter().map(|file| file.size_bytes).sum(),
        })
    }

    /// `Err` when the rewrite should end: the engine closes, or appends wait for the memory that it holds.
    fn check(&self) -> Result<()> {
        self.admission.check_behind(share_bytes(self.admission.budget.limit()), self.stop)
    }
}

fn groups(cuts: &Cuts, batches: &[RecordBatch]) -> Groups {
    let Some(cell_micros) = cuts.cell_micros() else { return Groups::one() };
    Groups::by(cell_micros, batches.iter().map(timestamps), |rows| cuts.files_of(rows))
}
