//! `DecodeMemory`: counts what the Parquet reader holds of the row groups that it decodes among the memory of the query that reads them.

use std::sync::Arc;

use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use parking_lot::Mutex;

/// How much is held for what was read: as it was read, as pages that are decompressed, and as rows.
const COPIES: usize = 3;

/// See the module. A reader that has begun cannot do with less: what finds no room in the share of queries is not counted, and takes nothing
/// of what is kept for events. What is counted leaves less to those who can spill.
#[derive(Debug, Default)]
pub(super) struct DecodeMemory(Mutex<Option<Arc<dyn MemoryPool>>>);

/// What is held of one file.
#[derive(Debug)]
pub(super) struct HeldRows(Option<MemoryReservation>);

impl DecodeMemory {
    /// Files that are opened from now on count with `pool`.
    pub(super) fn count_with(&self, pool: &Arc<dyn MemoryPool>) {
        *self.0.lock() = Some(Arc::clone(pool));
    }

    /// Nothing yet, of a file that is opened.
    pub(super) fn of_file(&self) -> HeldRows {
        let pool = self.0.lock();
        HeldRows(pool.as_ref().map(|pool| MemoryConsumer::new("SegmentScanExec").register(pool)))
    }
}

impl HeldRows {
    /// `bytes` of a row group were read, in place of those before.
    pub(super) fn replace(&self, bytes: usize) {
        if let Some(held) = &self.0 {
            // Without room it stays as it was.
            let _counted = held.try_resize(bytes.saturating_mul(COPIES));
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::UnboundedMemoryPool;

    use super::*;

    #[test]
    fn the_last_row_group_of_each_open_file_is_counted() {
        let memory = DecodeMemory::default();
        memory.of_file().replace(1_000);
        let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
        memory.count_with(&pool);
        let (first, second) = (memory.of_file(), memory.of_file());
        first.replace(1_000);
        second.replace(200);
        first.replace(10);
        assert_eq!(pool.reserved(), 210 * COPIES);
        drop((first, second));
        assert_eq!(pool.reserved(), 0);
    }
}
