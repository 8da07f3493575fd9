//! One consistent cut through a table: its files and the generations whose rows are in none of them.

use std::sync::Arc;

use crate::{
    delta::{DataFile, TableState},
    memory::{Generation, MemoryBatch},
    schema::TableSpec,
};

/// A consistent cut: every acknowledged row is in exactly one of `files` and `generations`.
///
/// Held by a query to its end; later appends and commits make new snapshots and do not touch this one.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) spec: Arc<TableSpec>,
    pub(crate) table: Arc<TableState>,
    pub(crate) generations: Vec<Arc<Generation>>,
}

impl Snapshot {
    /// The table that this is a cut of.
    #[must_use]
    pub fn spec(&self) -> &Arc<TableSpec> {
        &self.spec
    }

    /// Delta version of the file list.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.table.version()
    }

    /// Active Parquet files with their statistics.
    #[must_use]
    pub fn files(&self) -> &[Arc<DataFile>] {
        self.table.files()
    }

    /// Those that may hold rows of the moments `from..=to`. **Units**: µs since 1970.
    pub fn files_within(&self, from: i64, to: i64) -> impl Iterator<Item = &Arc<DataFile>> {
        self.table.files_within(from, to)
    }

    /// Generations in memory, oldest first.
    #[must_use]
    pub fn generations(&self) -> &[Arc<Generation>] {
        &self.generations
    }

    /// All batches in memory, each with its zone map.
    pub fn memory(&self) -> impl Iterator<Item = &Arc<MemoryBatch>> {
        self.generations.iter().flat_map(|generation| generation.batches().iter())
    }
}
