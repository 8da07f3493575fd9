//! Parts: rows of one partition that lie together, in memory or in the scratch file.

use std::sync::Arc;

use arrow::array::RecordBatch;

use super::scratch::Chunk;
use crate::budget::Reservation;

/// Memory that rows of a load take: of the load's own share, and of the engine's budget.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) own: Reservation,
    pub(super) engine: Reservation,
}

impl Held {
    /// Holds `bytes` from now on, without asking.
    pub(super) fn resized(self, bytes: usize) -> Self {
        Self { own: self.own.resized(bytes), engine: self.engine.resized(bytes) }
    }

    /// Takes over what another holds.
    pub(super) fn merge(&mut self, other: Self) {
        self.own.merge(other.own);
        self.engine.merge(other.engine);
    }

    /// Parts with `bytes`.
    pub(super) fn split(&mut self, bytes: usize) -> Self {
        Self { own: self.own.split(bytes), engine: self.engine.split(bytes) }
    }
}

/// Rows in memory, in the WAL schema. Those cut from one batch share its buffers and what it holds.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) batch: RecordBatch,
    pub(super) bytes: usize,
    pub(super) held: Arc<Held>,
}

/// Rows of one partition.
#[derive(Debug)]
pub(super) enum Part {
    Memory(Piece),
    Scratch(Chunk),
}

impl Part {
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Memory(piece) => piece.batch.num_rows(),
            Self::Scratch(chunk) => chunk.rows,
        }
    }

    /// Bytes of the rows in memory, now or once they are read back.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Memory(piece) => piece.bytes,
            Self::Scratch(chunk) => chunk.length,
        }
    }

    pub(super) fn is_in_memory(&self) -> bool {
        matches!(self, Self::Memory(_))
    }

    /// Where its rows lie in the scratch file, if they do.
    pub(super) fn into_chunk(self) -> Option<Chunk> {
        match self {
            Self::Memory(_) => None,
            Self::Scratch(chunk) => Some(chunk),
        }
    }
}

/// Bytes of a batch's own rows, however large the allocations are that it shares.
pub(super) fn bytes_of(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|array| array.to_data().get_slice_memory_size().unwrap_or(0)).sum()
}

#[cfg(test)]
impl Held {
    /// `bytes` of one budget that stands for both.
    pub(super) fn of_budgets(budget: &Arc<crate::budget::Budget>, bytes: usize) -> Self {
        Self { own: budget.reserve_unchecked(bytes), engine: budget.reserve_unchecked(bytes) }
    }
}
