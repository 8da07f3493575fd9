//! What is left of a snapshot once its statistics have been asked, and the counts that EXPLAIN shows.

use std::{cmp::Reverse, collections::BTreeMap, fmt, ops::Range, sync::Arc};

use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;
use hexflight_engine::{DataFile, MemoryBatch, Snapshot};

use crate::{
    predicate::Window,
    prune::{CAUSES, Cause, FileStatistics, Pruner, RowSelector, ZoneStatistics},
};

/// Files and memory batches that may hold matching rows.
#[derive(Debug)]
pub(super) struct Kept {
    /// Newest first, as memory.
    pub(super) files: Vec<Arc<DataFile>>,
    /// Newest first: queries mostly ask for the latest, and a top-k filter then excludes the rest.
    pub(super) memory: Vec<KeptBatch>,
    pub(super) file_counts: PruneCounts,
    pub(super) memory_counts: PruneCounts,
}

/// A memory batch and the rows of it that may match.
#[derive(Debug, Clone)]
pub(super) struct KeptBatch {
    pub(super) batch: Arc<MemoryBatch>,
    /// In order and apart; none if the order of a sorted batch has excluded them all.
    pub(super) runs: Vec<Range<usize>>,
}

impl KeptBatch {
    /// Rows that may match.
    pub(super) fn row_count(&self) -> usize {
        self.runs.iter().map(ExactSizeIterator::len).sum()
    }
}

/// How many there were and what excluded how many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PruneCounts {
    pub(super) total: usize,
    pub(super) pruned: BTreeMap<Cause, usize>,
}

impl PruneCounts {
    /// Excluded by any cause.
    pub(super) fn pruned_total(&self) -> usize {
        self.pruned.values().sum()
    }

    /// Excluded by each cause, in the order of [`CAUSES`].
    pub(super) fn by_cause(&self) -> [u64; CAUSES.len()] {
        CAUSES.map(|cause| self.pruned.get(&cause).copied().unwrap_or_default() as u64)
    }

    /// Adds what was ruled out before the others were counted.
    fn exclude(&mut self, cause: Cause, count: usize) {
        if count > 0 {
            self.total += count;
            *self.pruned.entry(cause).or_default() += count;
        }
    }
}

impl Kept {
    /// Applies a predicate over the table's columns to everything in a snapshot.
    pub(super) fn of(snapshot: &Snapshot, predicate: Option<&Arc<dyn PhysicalExpr>>) -> Self {
        let schema = snapshot.spec().query_schema();
        let pruner = predicate.map(|predicate| Pruner::new(predicate, snapshot.spec())).unwrap_or_default();
        let Window { from, to } = predicate.and_then(Window::of).unwrap_or(Window::ALWAYS);
        let inside: Vec<_> = snapshot.files_within(from, to).map(Arc::clone).collect();
        let verdicts = pruner.prune(&FileStatistics::new(Arc::clone(schema), &inside));
        let outside = snapshot.files().len() - inside.len();
        let (mut files, mut file_counts) = keep(inside, verdicts);
        file_counts.exclude(Cause::Time, outside);
        files.sort_by_cached_key(|file| Reverse(file.time().map_or(i64::MAX, |(_, to)| to)));

        let batches = snapshot.memory().map(Arc::clone).collect();
        let (memory, memory_counts) = keep_batches(batches, schema, predicate, &pruner);
        Self { files, memory, file_counts, memory_counts }
    }

    /// Files that are known to be kept, and what a predicate leaves of batches, oldest first.
    pub(super) fn of_sources(
        snapshot: &Snapshot,
        files: Vec<Arc<DataFile>>,
        batches: Vec<Arc<MemoryBatch>>,
        predicate: Option<&Arc<dyn PhysicalExpr>>,
    ) -> Self {
        let pruner = predicate.map(|predicate| Pruner::new(predicate, snapshot.spec())).unwrap_or_default();
        let (memory, memory_counts) =
            keep_batches(batches, snapshot.spec().query_schema(), predicate, &pruner);
        let file_counts = PruneCounts { total: files.len(), pruned: BTreeMap::new() };
        Self { files, memory, file_counts, memory_counts }
    }
}

fn keep_batches(
    batches: Vec<Arc<MemoryBatch>>,
    schema: &SchemaRef,
    predicate: Option<&Arc<dyn PhysicalExpr>>,
    pruner: &Pruner,
) -> (Vec<KeptBatch>, PruneCounts) {
    let selector = predicate.map(|predicate| RowSelector::new(predicate, pruner)).unwrap_or_default();
    let zones = batches.iter().map(|batch| batch.zone()).collect();
    let verdicts = pruner.prune(&ZoneStatistics::new(Arc::clone(schema), zones));
    let (mut kept, counts) = keep(batches, verdicts);
    kept.reverse();
    (kept.into_iter().map(|batch| KeptBatch { runs: selector.select(&batch), batch }).collect(), counts)
}

fn keep<T>(items: Vec<T>, verdicts: Vec<Option<Cause>>) -> (Vec<T>, PruneCounts) {
    let mut counts = PruneCounts { total: verdicts.len(), pruned: BTreeMap::new() };
    let mut kept = Vec::with_capacity(verdicts.len());
    for (item, verdict) in items.into_iter().zip(verdicts) {
        match verdict {
            None => kept.push(item),
            Some(cause) => *counts.pruned.entry(cause).or_default() += 1,
        }
    }
    (kept, counts)
}

/// `kept/total`.
impl fmt::Display for PruneCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.total - self.pruned_total(), self.total)
    }
}
