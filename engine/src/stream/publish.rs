//! `Publication`: what becomes of a durable commit: its rows are visible, and whoever has to act on that is woken.

use std::{collections::BTreeMap, sync::Arc};

use super::Streams;
use crate::{
    budget::Admission,
    error::Result,
    memory::MemoryBatch,
    schema::{Sequence, StreamId, TableName},
    signals::FlushSignals,
    store::Store,
    tables::Tables,
    wal::{Fence, Publisher},
};

/// See the module.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) store: Store,
    pub(crate) tables: Arc<Tables>,
    pub(crate) streams: Arc<Streams>,
    pub(crate) signals: Arc<FlushSignals>,
    pub(crate) admission: Arc<Admission>,
    /// At which the active generation is closed.
    pub(crate) generation_rows_max: usize,
    pub(crate) generation_bytes_max: usize,
}

impl Publisher for Publication {
    fn publish(
        &self,
        stream: StreamId,
        sequence: Sequence,
        batches: Vec<(TableName, Arc<MemoryBatch>)>,
    ) -> Result<()> {
        let mut by_table: BTreeMap<TableName, Vec<Arc<MemoryBatch>>> = BTreeMap::new();
        for (table, batch) in batches {
            by_table.entry(table).or_default().push(batch);
        }
        for (name, batches) in by_table {
            let table = self.tables.get(&name)?;
            let (rows, bytes) = table.view.publish(stream, sequence, batches)?;
            if rows >= self.generation_rows_max || bytes >= self.generation_bytes_max {
                table.view.close_active();
                self.signals.full.notify_one();
            }
        }
        self.streams.published(stream, sequence);
        self.admission.flush_if_short(|| self.tables.active_bytes());
        Ok(())
    }

    fn stream_ended(&self, stream: StreamId, next: Sequence) {
        // Whoever put the fence has seen to it that it is there.
        self.streams.end(&self.tables, stream, Fence { sequence: next, is_put: true });
    }

    fn stream_begun(&self, stream: StreamId) {
        self.streams.begin(stream);
    }

    /// On a full disk the log makes space once its rows are in files.
    fn stalled(&self) {
        if self.store.is_full() {
            self.signals.space.notify_one();
        }
    }
}
