//! Hexflight's write path and storage.

mod error;
mod clock;
mod budget;
mod schema;
mod store;
mod memory;
mod table;
mod view;
mod engine;

pub use budget::{Budget, Reservation};
pub use clock::{Clock, SystemClock};
pub use engine::{Ack, Engine, EngineOptions, PendingAck};
pub use error::{EngineError, ErrorKind, Result};
pub use memory::{Generation, MemoryBatch, ZoneMap};
pub use schema::{Sequence, StreamId, TableName, TableSpec, column};
pub use store::{PutOutcome, Store};
pub use table::{ColumnRange, DataFile, ScalarBound, TableState};
pub use view::Snapshot;
