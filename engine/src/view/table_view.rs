//! `TableView`: the newest snapshot of one table and the only place that replaces it.
//!
//! A change takes the lock, edits the snapshot in place when no query holds it and a shallow copy otherwise, and lets go:
//! a query sees the whole change or nothing of it. CPU work (zone maps, sorting) happens before the lock is taken.

use std::sync::Arc;

use super::Snapshot;
use crate::{
    delta::TableState,
    error::Result,
    memory::{Generation, GenerationState, MemoryBatch},
    schema::{Sequence, StreamId, TableSpec},
};
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The newest snapshot of a table.
#[derive(Debug)]
pub(crate) struct TableView {
    newest: RwLock<Arc<Snapshot>>,
}

impl TableView {
    pub(crate) fn new(spec: Arc<TableSpec>, table: Arc<TableState>) -> Self {
        Self { newest: RwLock::new(Arc::new(Snapshot { spec, table, generations: vec![] })) }
    }

    /// The newest snapshot.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.read())
    }

    /// Makes the durable batches of one group commit visible, all at once. Returns rows and bytes of the active generation.
    pub(crate) fn publish(
        &self,
        stream: StreamId,
        sequence: Sequence,
        batches: Vec<Arc<MemoryBatch>>,
    ) -> Result<(usize, usize)> {
        let mut newest = self.write();
        let snapshot = Arc::make_mut(&mut newest);
        let takes = |generation: &Arc<Generation>| {
            generation.state == GenerationState::Active && generation.stream == stream
        };
        if !snapshot.generations.last().is_some_and(takes) {
            close_last(snapshot);
            snapshot.generations.push(Arc::new(Generation::new(stream, sequence)));
        }
        let active = snapshot.generations.last_mut().expect("one was just pushed");
        let active = Arc::make_mut(active);
        for batch in batches {
            active.push(sequence, batch)?;
        }
        Ok((active.row_count(), active.bytes()))
    }

    /// Memory that the active generation is accounted for. **Units**: bytes.
    pub(crate) fn active_bytes(&self) -> usize {
        let newest = self.read();
        let active = newest.generations.last();
        active.filter(|last| last.state == GenerationState::Active).map_or(0, |last| last.bytes())
    }

    /// Closes the active generation: the next publish starts another.
    pub(crate) fn close_active(&self) {
        close_last(Arc::make_mut(&mut self.write()));
    }

    /// Adds a whole generation that was read back from a dead stream's WAL.
    pub(crate) fn adopt(&self, generation: Generation) {
        let mut newest = self.write();
        let snapshot = Arc::make_mut(&mut newest);
        close_last(snapshot);
        snapshot.generations.push(Arc::new(generation));
        close_last(snapshot);
    }

    /// A stream has ended: its active generation takes no more. The range of a generation is never changed, because a flush
    /// of it may be under way.
    pub(crate) fn end_stream(&self, stream: StreamId) {
        let mut newest = self.write();
        let snapshot = Arc::make_mut(&mut newest);
        if snapshot.generations.last().is_some_and(|last| last.stream == stream) {
            close_last(snapshot);
        }
    }

    /// Whether rows of a stream are in memory.
    pub(crate) fn holds(&self, stream: StreamId) -> bool {
        self.read().generations.iter().any(|generation| generation.stream == stream)
    }

    /// Replaces a closed generation by its sealed form.
    pub(crate) fn replace(&self, sealed: Arc<Generation>) {
        let mut newest = self.write();
        let snapshot = Arc::make_mut(&mut newest);
        let same = |generation: &&mut Arc<Generation>| {
            generation.stream == sealed.stream && generation.first == sealed.first
        };
        let place = snapshot.generations.iter_mut().find(same);
        assert!(place.is_some(), "generation {} of stream {} is gone", sealed.first, sealed.stream);
        if let Some(place) = place {
            *place = sealed;
        }
    }

    /// Moves to a committed table state and drops the generations whose rows it holds, in one step:
    /// rows with sequence ≤ txn are in files, all others in memory. Called by [`Table::commit`](crate::tables::Table::commit) alone.
    pub(crate) fn advance(&self, table: Arc<TableState>) {
        let mut newest = self.write();
        let snapshot = Arc::make_mut(&mut newest);
        let before = snapshot.table.version();
        assert!(table.version() > before, "version {} does not come after {before}", table.version());
        snapshot.generations.retain(|generation| {
            let flushed = table.flushed(generation.stream);
            assert!(
                flushed >= generation.last || flushed < generation.first,
                "txn {flushed} of stream {} cuts through generation {}..={}",
                generation.stream,
                generation.first,
                generation.last
            );
            flushed < generation.first
        });
        snapshot.table = table;
    }

    /// Replaces the table state by one of the same version that remembers less. Called as [`Self::advance`] is.
    pub(crate) fn forget_removed(&self, table: Arc<TableState>) {
        let mut newest = self.write();
        let snapshot = Arc::make_mut(&mut newest);
        assert!(table.version() == snapshot.table.version(), "version {} is not the newest", table.version());
        snapshot.table = table;
    }

    fn read(&self) -> RwLockReadGuard<'_, Arc<Snapshot>> {
        self.newest.read()
    }

    fn write(&self) -> RwLockWriteGuard<'_, Arc<Snapshot>> {
        self.newest.write()
    }
}

fn close_last(snapshot: &mut Snapshot) {
    if let Some(last) = snapshot.generations.last_mut()
        && last.state == GenerationState::Active
    {
        Arc::make_mut(last).state = GenerationState::Closed;
    }
}
