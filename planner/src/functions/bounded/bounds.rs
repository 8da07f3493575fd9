//! `Bounds`: how many bytes a function may build, and the pool that they are reserved from.

use std::sync::Arc;

use datafusion::{
    common::exec_err,
    error::Result,
    execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation},
};

use crate::admission::Class;

/// One value; a fourth of what one batch may have.
const VALUE_BYTES_MAX: u64 = 64 << 20;

/// What one function makes of the rows of one batch.
const BATCH_BYTES_MAX: u64 = 256 << 20;

/// One batch takes at most this part of what queries may have: an expression of several functions has several results at once.
const BATCHES_MIN: u64 = 4;

/// A constant that is larger is not computed while a query is planned: plans hold their constants outside of the memory pool, and a
/// column of it is made for each batch.
const FOLDED_BYTES_MAX: u64 = BATCH_BYTES_MAX / BATCH_ROWS;

/// Rows of a batch unless options say otherwise.
pub(crate) const BATCH_ROWS: u64 = 8_192;

/// Rows that a join copies have this part of what one batch may have: it has some at once, for its condition and for its result.
const JOINED_PART: u64 = 2;

/// Where it can be chosen how many rows are made at once they have this part of it.
const PIECE_PART: u64 = 16;

/// Smaller results are not reserved: most batches of ordinary functions are, and come and go within a millisecond.
const RESERVED_BYTES_MIN: u64 = 4 << 20;

/// Results of few rows are reserved from here on: a node that makes many columns is given batches of few rows (see `width`).
const RESERVED_BYTES_OF_FEW: u64 = 16 << 10;

/// What a row of a result has that is not reserved.
pub(crate) const UNRESERVED_ROW_BYTES: u64 = RESERVED_BYTES_MIN / BATCH_ROWS;

/// Steps of one value, of some ns each.
const STEPS_MAX: u64 = 100_000_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct Bounds {
    value_bytes: u64,
    batch_bytes: u64,
    folded_bytes: u64,
    /// Of large queries, and of small ones.
    pools: [Arc<dyn MemoryPool>; 2],
}

impl Bounds {
    /// Bounds for queries that share memory pools, one of large and one of small queries; narrower ones where the first is small.
    pub(crate) fn new(large: &Arc<dyn MemoryPool>, small: &Arc<dyn MemoryPool>) -> Arc<Self> {
        let batch_bytes = match large.memory_limit() {
            MemoryLimit::Finite(limit) => BATCH_BYTES_MAX.min(count(limit) / BATCHES_MIN),
            _ => BATCH_BYTES_MAX,
        };
        let value_bytes = VALUE_BYTES_MAX.min(batch_bytes / 2);
        let folded_bytes = FOLDED_BYTES_MAX.min(batch_bytes / BATCH_ROWS);
        Arc::new(Self {
            value_bytes,
            batch_bytes,
            folded_bytes,
            pools: [Arc::clone(large), Arc::clone(small)],
        })
    }

    /// The pool of the query whose thread this is.
    fn pool(&self) -> &Arc<dyn MemoryPool> {
        let [large, small] = &self.pools;
        match Class::of_thread() {
            Class::Large => large,
            Class::Small => small,
        }
    }

    pub(super) fn batch_bytes(&self) -> u64 {
        self.batch_bytes
    }

    /// The largest constant that a plan holds, and that a column may be made of without asking.
    pub(crate) fn folded_bytes(&self) -> u64 {
        self.folded_bytes
    }

    /// Whether all values of a batch are surely within bounds.
    pub(super) fn admit(&self, value_bytes: u64, batch_bytes: u64, value_steps: u64) -> bool {
        value_bytes <= self.value_bytes && batch_bytes <= self.batch_bytes && value_steps <= STEPS_MAX
    }

    /// # Errors
    /// `Execution` when one value of a function is too large.
    pub(super) fn check_value(&self, function: &str, bytes: u64, is_exact: bool) -> Result<()> {
        if bytes <= self.value_bytes {
            return Ok(());
        }
        let up_to = if is_exact { "" } else { "up to " };
        exec_err!(
            "{function}: a value of {up_to}{bytes} bytes; one value has at most {} bytes",
            self.value_bytes
        )
    }

    /// # Errors
    /// `Execution` when the values of one batch are too large together.
    pub(super) fn check_batch(&self, function: &str, rows: usize, bytes: u64) -> Result<()> {
        if bytes <= self.batch_bytes {
            return Ok(());
        }
        let most = self.batch_bytes;
        exec_err!(
            "{function}: {rows} rows of {bytes} bytes together; the rows of one batch have at most {most} bytes"
        )
    }

    /// What a batch of a join may have of one of its inputs. **Units**: bytes.
    pub(crate) fn joined_bytes(&self) -> u64 {
        self.batch_bytes / JOINED_PART
    }

    /// What is made at once where that can be chosen. **Units**: bytes.
    pub(crate) fn piece_bytes(&self) -> u64 {
        self.batch_bytes / PIECE_PART
    }

    /// How many rows of so many bytes a batch of a join should have.
    pub(crate) fn joined_rows(&self, bytes: u64) -> usize {
        usize::try_from(self.piece_bytes() / bytes.max(1)).unwrap_or(usize::MAX).max(1)
    }

    /// # Errors
    /// `Execution` when rows of a window that are made together are too large together.
    pub(super) fn check_window(&self, function: &str, rows: u64, bytes: u64) -> Result<()> {
        if bytes <= self.batch_bytes {
            return Ok(());
        }
        let most = self.batch_bytes;
        exec_err!(
            "{function}: {rows} rows of a window have {bytes} bytes together; a whole partition of one value, or {BATCH_ROWS} rows \
             of several, have at most {most} bytes"
        )
    }

    /// # Errors
    /// `Execution` when the different values that one value is to be made of are too large together.
    pub(super) fn check_distinct(&self, function: &str, bytes: u64) -> Result<()> {
        if bytes <= self.batch_bytes {
            return Ok(());
        }
        let most = self.batch_bytes;
        exec_err!(
            "{function}: different values that take {bytes} bytes; those of one group take at most {most} bytes"
        )
    }

    /// # Errors
    /// `Execution` when one value takes too long.
    pub(super) fn check_steps(function: &str, steps: u64) -> Result<()> {
        if steps <= STEPS_MAX {
            return Ok(());
        }
        exec_err!("{function}: a value of {steps} steps of work; one value takes at most {STEPS_MAX} steps")
    }

    /// Whether so much is worth a reservation.
    pub(crate) fn is_reserved(bytes: u64) -> bool {
        bytes >= RESERVED_BYTES_MIN
    }

    /// Whether a column of so many rows and bytes is worth a reservation.
    pub(super) fn is_column_reserved(rows: usize, bytes: u64) -> bool {
        let rows_bytes = count(rows).saturating_mul(UNRESERVED_ROW_BYTES);
        bytes >= rows_bytes.clamp(RESERVED_BYTES_OF_FEW, RESERVED_BYTES_MIN)
    }

    /// Reserves what is about to be built for so many rows; nothing for what is small.
    ///
    /// # Errors
    /// `ResourcesExhausted` when queries have no more memory.
    pub(super) fn reserve(
        &self,
        function: &str,
        rows: usize,
        bytes: u64,
    ) -> Result<Option<MemoryReservation>> {
        if !Self::is_column_reserved(rows, bytes) {
            return Ok(None);
        }
        let reservation = MemoryConsumer::new(function).register(self.pool());
        reservation.try_grow(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        Ok(Some(reservation))
    }

    /// Reserves up to `bytes` in all for what grows bit by bit, in steps of what is worth a reservation.
    ///
    /// # Errors
    /// `ResourcesExhausted` when queries have no more memory.
    pub(super) fn reserve_up_to(
        &self,
        function: &str,
        bytes: u64,
        held: &mut Option<MemoryReservation>,
    ) -> Result<()> {
        let reserved = held.as_ref().map_or(0, |held| count(held.size()));
        if bytes < reserved.saturating_add(RESERVED_BYTES_MIN) {
            return Ok(());
        }
        let held = held.get_or_insert_with(|| MemoryConsumer::new(function).register(self.pool()));
        held.try_grow(usize::try_from(bytes - reserved).unwrap_or(usize::MAX))
    }
}

/// A count as the 64 bits that it has everywhere.
pub(super) fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
