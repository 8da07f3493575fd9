//! `Generation`: a contiguous range of one stream's group commits, held in memory until its rows are in files.
//!
//! ```text
//! Active ──close──▶ Closed ──seal──▶ Sealed ──flush──▶ (rows are in files; dropped from the snapshot)
//! arrival order     no more rows     sorted segments
//! ```

use std::sync::Arc;

use arrow::{
    array::{AsArray, RecordBatch},
    compute::concat_batches,
};

use super::ZoneMap;
use crate::{
    budget::Reservation,
    error::Result,
    schema::{Sequence, StreamId},
};

/// Batches are joined with their neighbours up to so many rows, so that a scan does not stumble over thousands of them.
const JOINED_ROWS_MAX: usize = 8_192;

/// A batch of the table's query schema with its zone map and the memory it is accounted for, until the last holder drops it.
#[derive(Debug)]
pub struct MemoryBatch {
    batch: RecordBatch,
    zone: ZoneMap,
    memory: Option<Reservation>,
    sorted: bool,
}

impl MemoryBatch {
    /// Wraps a non-empty batch of the query schema.
    #[must_use]
    pub fn new(batch: RecordBatch, memory: Option<Reservation>) -> Self {
        let zone = ZoneMap::of(&batch);
        Self { batch, zone, memory, sorted: false }
    }

    /// Wraps a non-empty segment: rows in the order of (type, h3 with nulls first, device_id, timestamp).
    #[must_use]
    pub fn of_segment(segment: RecordBatch, memory: Option<Reservation>) -> Self {
        Self { sorted: true, ..Self::new(segment, memory) }
    }

    /// Whether the rows are in a segment's order; otherwise they are as they came.
    #[must_use]
    pub fn is_sorted(&self) -> bool {
        self.sorted
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

    /// Memory the batch is accounted for. **Units**: bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.memory.as_ref().map_or(0, Reservation::bytes)
    }

    /// The rows lie elsewhere from now on: their memory here is that of the queries that still read it.
    pub(super) fn leave_to_queries(&self) {
        self.memory.iter().for_each(Reservation::leave_to_queries);
    }
}

/// Where a generation is on its way to files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GenerationState {
    /// Takes batches.
    Active,
    /// Takes no more; waits to be sorted.
    Closed,
    /// Sorted into segments, one batch each; waits to be flushed.
    Sealed,
}

/// Rows of `first..=last` of one stream; immutable once in a snapshot that a query holds.
#[derive(Debug, Clone)]
pub struct Generation {
    pub(crate) stream: StreamId,
    pub(crate) first: Sequence,
    pub(crate) last: Sequence,
    pub(crate) state: GenerationState,
    batches: Vec<Arc<MemoryBatch>>,
    row_count: usize,
    bytes: usize,
}

impl Generation {
    /// Starts an empty generation of `stream` at `first`.
    #[must_use]
    pub fn new(stream: StreamId, first: Sequence) -> Self {
        Self {
            stream,
            first,
            last: first,
            state: GenerationState::Active,
            batches: vec![],
            row_count: 0,
            bytes: 0,
        }
    }

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

    /// Where it is on its way to files.
    #[must_use]
    pub fn state(&self) -> GenerationState {
        self.state
    }

    /// The batches: in order of arrival until sealed, then sorted segments.
    #[must_use]
    pub fn batches(&self) -> &[Arc<MemoryBatch>] {
        &self.batches
    }

    /// Rows held.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.row_count
    }

    /// Memory accounted for. **Units**: bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a batch of commit `sequence`, which must not lie before the last one.
    ///
    /// # Errors
    /// `Internal` when small neighbours cannot be joined.
    pub fn push(&mut self, sequence: Sequence, batch: Arc<MemoryBatch>) -> Result<()> {
        assert!(self.state == GenerationState::Active, "generation {} takes no more batches", self.first);
        assert!(sequence >= self.last, "commit {sequence} comes after {}", self.last);
        self.last = sequence;
        self.row_count += batch.batch.num_rows();
        self.bytes += batch.bytes();
        self.batches.push(batch);
        self.join_small_neighbours()
    }

    /// The same range with its rows sorted into segments.
    #[must_use]
    pub(crate) fn sealed(&self, segments: Vec<Arc<MemoryBatch>>) -> Self {
        let row_count: usize = segments.iter().map(|segment| segment.batch.num_rows()).sum();
        assert!(row_count == self.row_count, "sealing keeps {} rows, not {row_count}", self.row_count);
        let bytes = segments.iter().map(|segment| segment.bytes()).sum();
        Self { state: GenerationState::Sealed, batches: segments, bytes, ..*self }
    }

    /// Joins the last two batches while the newer is not much smaller: each row is copied at most log₂(8 k) times.
    fn join_small_neighbours(&mut self) -> Result<()> {
        while let [.., older, newer] = self.batches.as_slice() {
            let (older_rows, newer_rows) = (older.batch.num_rows(), newer.batch.num_rows());
            if older_rows > newer_rows * 2 || older_rows + newer_rows > JOINED_ROWS_MAX {
                break;
            }
            let joined = join(older, newer)?;
            // Nobody has seen the newer one.
            if Arc::strong_count(older) > 1 {
                older.leave_to_queries();
            }
            self.batches.truncate(self.batches.len() - 2);
            self.batches.push(Arc::new(joined));
        }
        Ok(())
    }
}

/// The copy reserves the bytes of both parts; the parts keep their reservations until their last reader drops them.
fn join(older: &MemoryBatch, newer: &MemoryBatch) -> Result<MemoryBatch> {
    let mut batch = concat_batches(older.batch.schema_ref(), [&older.batch, &newer.batch])?;
    if batch.num_rows() > JOINED_ROWS_MAX / 2 {
        batch = with_own_texts(batch)?;
    }
    let memory = older.memory.as_ref().map(|memory| memory.again(older.bytes() + newer.bytes()));
    Ok(MemoryBatch { batch, zone: older.zone.union(&newer.zone), memory, sorted: false })
}

/// Joined texts still lie in the messages that they came in, and these hold numbers that were copied: those go. Only once for most rows, which
/// are not joined again.
fn with_own_texts(batch: RecordBatch) -> Result<RecordBatch> {
    let (schema, columns, _) = batch.into_parts();
    let own = columns.into_iter().map(|column| match column.as_string_view_opt() {
        Some(texts) => Arc::new(texts.gc()),
        None => column,
    });
    Ok(RecordBatch::try_new(schema, own.collect())?)
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{
            ArrayRef, Float64Array, Int64Array, StringArray, StringViewArray, TimestampMicrosecondArray,
        },
        buffer::Buffer,
    };

    use super::*;
    use crate::{ingest::to_query, schema::TableSpec};

    /// `rows` events as a writer may send them: each text lies in the message that it came in.
    fn arrived(spec: &TableSpec, rows: usize) -> (RecordBatch, Buffer) {
        let degrees = || Arc::new(Float64Array::from(vec![1.5; rows])) as ArrayRef;
        let device = StringArray::from_iter_values((0..rows).map(|row| format!("device-{row:09}")));
        let message = device.values().clone();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(TimestampMicrosecondArray::from(vec![7; rows]).with_timezone("UTC")),
            Arc::new(device),
            Arc::new(StringArray::from(vec!["temperature"; rows])),
            degrees(),
            degrees(),
            degrees(),
            Arc::new(Int64Array::from(vec![1; rows])),
            Arc::new(StringArray::from(vec![None::<&str>; rows])),
        ];
        let batch = RecordBatch::try_new(Arc::clone(spec.wal_schema()), columns).unwrap();
        (to_query(spec, &batch).unwrap(), message)
    }

    fn devices(batch: &MemoryBatch) -> &StringViewArray {
        batch.batch.column(1).as_string_view()
    }

    #[test]
    fn joined_rows_let_go_of_the_messages_that_they_came_in() {
        let spec = TableSpec::events();
        let mut generation = Generation::new(StreamId::generate(), Sequence(1));
        let mut messages = vec![];
        for _ in 0..2 {
            let (batch, message) = arrived(&spec, JOINED_ROWS_MAX / 2);
            messages.push(message);
            generation.push(Sequence(1), Arc::new(MemoryBatch::new(batch, None))).unwrap();
        }
        let [joined] = generation.batches() else { panic!("{} batches", generation.batches().len()) };
        let texts = devices(joined);
        let all: Vec<&str> = texts.iter().flatten().collect();
        assert_eq!((all.len(), all[1], all[all.len() - 1]), (8_192, "device-000000001", "device-000004095"));
        let shares =
            |message: &Buffer| texts.data_buffers().iter().any(|own| own.as_ptr() == message.as_ptr());
        assert!(!messages.iter().any(shares), "a message stays for its texts alone");
    }

    #[test]
    fn what_is_large_enough_stays_as_it_came() {
        let spec = TableSpec::events();
        let mut generation = Generation::new(StreamId::generate(), Sequence(1));
        for _ in 0..3 {
            let (batch, message) = arrived(&spec, JOINED_ROWS_MAX);
            generation.push(Sequence(1), Arc::new(MemoryBatch::new(batch, None))).unwrap();
            let last = generation.batches().last().unwrap();
            assert_eq!(devices(last).data_buffers()[0].as_ptr(), message.as_ptr());
        }
        assert_eq!((generation.batches().len(), generation.row_count()), (3, 3 * JOINED_ROWS_MAX));
    }
}
