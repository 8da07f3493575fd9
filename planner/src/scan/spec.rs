//! `ScanSpec`: what a scan reads, in words that can travel: names of files and ranges of streams instead of what holds them. Whoever has a
//! snapshot that names the same can scan the same rows.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use datafusion::{
    common::{exec_err, internal_err},
    error::Result,
    physical_expr::PhysicalExpr,
};
use hexflight_engine::{DataFile, Generation, MemoryBatch, Sequence, Snapshot, StreamId, TableName};
use serde::{Deserialize, Serialize};

use super::prune_sources::Kept;

/// What one scan reads, and how much of it.
#[derive(Debug, Clone)]
pub struct ScanSpec {
    /// Where the rows are.
    pub sources: ScanSources,
    /// Columns of the table by index, in the order wanted.
    pub projection: Vec<usize>,
    /// Over all columns of the table.
    pub predicate: Option<Arc<dyn PhysicalExpr>>,
    /// Rows after which each partition may stop.
    pub limit: Option<usize>,
}

/// Where the rows of a scan are: what pruning has left of one version of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanSources {
    /// The table.
    pub table: TableName,
    /// Version of its Delta log that names the files.
    pub version: i64,
    /// Paths below the root of the store, in the order in which they are read.
    pub files: Vec<String>,
    /// Rows that are in no file yet, oldest first.
    pub memory: Vec<MemoryRange>,
}

/// A generation: commits of one stream, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryRange {
    /// Whose commits.
    pub stream: StreamId,
    /// The first.
    pub first: Sequence,
    /// The last.
    pub last: Sequence,
}

impl MemoryRange {
    fn of(generation: &Generation) -> Self {
        let (first, last) = generation.sequences();
        Self { stream: generation.stream(), first, last }
    }
}

impl ScanSources {
    /// Names what a scan of `snapshot` has kept.
    pub(super) fn of<'a>(
        snapshot: &Snapshot,
        files: &[Arc<DataFile>],
        memory: impl Iterator<Item = &'a Arc<MemoryBatch>>,
    ) -> Self {
        let kept: HashSet<*const MemoryBatch> = memory.map(Arc::as_ptr).collect();
        let is_kept = |generation: &Generation| {
            generation.batches().iter().any(|batch| kept.contains(&Arc::as_ptr(batch)))
        };
        let generations = snapshot.generations().iter().filter(|generation| is_kept(generation));
        Self {
            table: snapshot.spec().name().clone(),
            version: snapshot.version(),
            files: files.iter().map(|file| file.location.to_string()).collect(),
            memory: generations.map(|generation| MemoryRange::of(generation)).collect(),
        }
    }

    /// Finds in a snapshot what is named. What the predicate excludes of a generation is left out again.
    ///
    /// # Errors
    /// `Execution` when the snapshot is of another version, or has not all that is named; `Internal` when it is of another table.
    pub(super) fn find(
        &self,
        snapshot: &Snapshot,
        predicate: Option<&Arc<dyn PhysicalExpr>>,
    ) -> Result<Kept> {
        if snapshot.spec().name() != &self.table {
            return internal_err!(
                "a scan of table {} over a snapshot of {}",
                self.table,
                snapshot.spec().name()
            );
        }
        if snapshot.version() != self.version {
            return exec_err!(
                "table {}: a scan of version {} over a snapshot of version {}",
                self.table,
                self.version,
                snapshot.version()
            );
        }
        Ok(Kept::of_sources(snapshot, self.files_of(snapshot)?, self.batches_of(snapshot)?, predicate))
    }

    fn files_of(&self, snapshot: &Snapshot) -> Result<Vec<Arc<DataFile>>> {
        let active: HashMap<&str, &Arc<DataFile>> =
            snapshot.files().iter().map(|file| (file.location.as_ref(), file)).collect();
        let find = |name: &String| match active.get(name.as_str()) {
            Some(file) => Ok(Arc::clone(file)),
            None => exec_err!("table {}: version {} has no file {name}", self.table, self.version),
        };
        self.files.iter().map(find).collect()
    }

    fn batches_of(&self, snapshot: &Snapshot) -> Result<Vec<Arc<MemoryBatch>>> {
        let mut wanted: HashSet<MemoryRange> = self.memory.iter().copied().collect();
        let found =
            snapshot.generations().iter().filter(|generation| wanted.remove(&MemoryRange::of(generation)));
        let batches = found.flat_map(|generation| generation.batches().iter().map(Arc::clone)).collect();
        match wanted.iter().next() {
            Some(MemoryRange { stream, first, last }) => exec_err!(
                "table {}: commits {first} to {last} of stream {stream} are not in memory here",
                self.table
            ),
            None => Ok(batches),
        }
    }
}

#[cfg(test)]
#[path = "spec_tests.rs"]
mod tests;
