//! `Generation`: a contiguous range of one stream's group commits, held in memory until its rows are in files.

use std::sync::Arc;

use arrow::array::RecordBatch;

use super::ZoneMap;
use crate::schema::{Sequence, StreamId};

/// A batch of the table's query schema with its zone map.
#[derive(Debug, Clone)]
pub struct MemoryBatch {
    batch: RecordBatch,
    zone: ZoneMap,
}

impl MemoryBatch {
    /// Wraps a non-empty batch of the query schema.
    #[must_use]
    pub fn new(batch: RecordBatch) -> Self {
        let zone = ZoneMap::of(&batch);
        Self { batch, zone }
    }

    /// The rows.
    #[must_use]
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// What the rows can and cannot hold.
    #[must_use]
    pub fn zone(&self) -> &ZoneMap {
        &self.zone
    }
}

/// Rows of `first..=last` of one stream; immutable once in a snapshot.
#[derive(Debug, Clone)]
pub struct Generation {
    pub(crate) stream: StreamId,
    pub(crate) first: Sequence,
    pub(crate) last: Sequence,
    pub(crate) batches: Arc<Vec<Arc<MemoryBatch>>>,
    pub(crate) row_count: usize,
}

impl Generation {
    /// The stream whose commits these are.
    #[must_use]
    pub fn stream(&self) -> StreamId {
        self.stream
    }

    /// First and last sequence held, both inclusive.
    #[must_use]
    pub fn sequences(&self) -> (Sequence, Sequence) {
        (self.first, self.last)
    }

    /// The batches: in order of arrival while active, sorted segments once sealed.
    #[must_use]
    pub fn batches(&self) -> &[Arc<MemoryBatch>] {
        &self.batches
    }

    /// Rows held.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.row_count
    }
}
