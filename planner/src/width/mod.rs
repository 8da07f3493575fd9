//! How wide the rows are that a join or UNNEST copies. A join copies the values of a row for each partner that it finds: a text of 200 kB beside
//! 8,192 rows is 1.6 GB in one batch. Rows on their way into a join are measured, and where they are too wide for a batch the query runs again
//! with shorter ones. Views are copied without what they point at, and events have only these; long ones count all the same, since functions
//! above make texts of them.
//!
//! ```text
//!  input ─▶ Measured ─▶ join        too wide: Widths ─▶ Run: the same query with batches of fewer rows
//!  input ─▶ Sliced ─▶ right side of a nested loop join
//!  input ─▶ Sliced ─▶ what makes many columns of each row;  input ─▶ Collected ─▶ window over whole partitions
//!  input ─▶ Cut ─▶ UNNEST           long lists come in pieces, each with what stands beside it
//! ```

mod bytes;
mod collected;
mod columns;
mod cut;
mod made;
mod measured;
mod sliced;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use datafusion::execution::{TaskContext, memory_pool::MemoryReservation};
use parking_lot::Mutex;

pub(crate) use bytes::batch_bytes;
pub(crate) use collected::Collected;
pub(crate) use columns::{large_columns, wide_columns};
pub(crate) use cut::Cut;
pub(crate) use made::rows_at_once;
pub(crate) use measured::Measured;
pub(crate) use sliced::Sliced;

/// What all that measure rows for one run of a query have in common.
#[derive(Debug, Clone, Default)]
pub(crate) struct Widths(Arc<Common>);

#[derive(Debug)]
struct Common {
    /// How many a batch may have, as has been found.
    rows: AtomicUsize,
    /// Whether the reader has seen rows, so that no other run can follow.
    is_last: AtomicBool,
    /// For inputs that have been read: their rows are copied until the run ends.
    kept: Mutex<HashMap<Place, MemoryReservation>>,
}

/// Tells a node from others, also when it is reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct NodeId(usize);

impl NodeId {
    fn next() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A partition of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    node: NodeId,
    partition: usize,
}

impl Default for Common {
    fn default() -> Self {
        Self { rows: AtomicUsize::new(usize::MAX), is_last: AtomicBool::default(), kept: Mutex::default() }
    }
}

impl Widths {
    /// Of the run that a context was made for.
    fn of(context: &TaskContext) -> Self {
        context
            .session_config()
            .get_extension::<Self>()
            .map(|widths| Self::clone(&widths))
            .unwrap_or_default()
    }

    fn ask_for(&self, rows: usize) {
        self.0.rows.fetch_min(rows, Ordering::Relaxed);
    }

    /// In the place of what was kept there: of a recursion one round is kept.
    fn keep(&self, place: Place, reservation: MemoryReservation) {
        if reservation.size() == 0 {
            return;
        }
        self.0.kept.lock().insert(place, reservation);
    }

    fn is_last(&self) -> bool {
        self.0.is_last.load(Ordering::Relaxed)
    }

    /// From now on the reader has seen rows.
    pub(crate) fn no_other_run(&self) {
        self.0.is_last.store(true, Ordering::Relaxed);
    }

    /// What the rows of a batch have to be when the query runs again; `None` if no row was too wide.
    pub(crate) fn shorter(&self) -> Option<usize> {
        Some(self.0.rows.load(Ordering::Relaxed)).filter(|rows| *rows < usize::MAX)
    }
}
