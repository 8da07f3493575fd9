//! `Left`: rows in memory that now lie elsewhere as well. Whoever handed them on lets go of them; what is still there then is held by
//! queries alone, and is accounted for as theirs.

use std::sync::{Arc, Weak};

use super::{Generation, MemoryBatch};

/// See the module.
#[derive(Debug)]
pub(crate) struct Left(Vec<Weak<MemoryBatch>>);

impl Left {
    /// The rows of generations; does not keep them.
    pub(crate) fn of(generations: &[Arc<Generation>]) -> Self {
        let batches = generations.iter().flat_map(|generation| generation.batches());
        Self(batches.map(Arc::downgrade).collect())
    }

    /// Called once their rows are elsewhere, and nobody but queries holds them: a moment earlier all of them would count as read, and
    /// queries be refused memory that nobody holds.
    pub(crate) fn leave_to_queries(self) {
        self.0.iter().filter_map(Weak::upgrade).for_each(|batch| batch.leave_to_queries());
    }
}
