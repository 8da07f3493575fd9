//! Rows that are durable in the WAL but not yet in files: generations of batches, oldest first.
//!
//! `wal` and `takeover` make them, `view` shows them, `flush` seals and drops them. Nothing here waits or writes. If you change what a batch
//! keeps, also look at its reservation.

mod generation;
mod left;
mod zone;

pub use generation::{Generation, GenerationState, MemoryBatch};
pub(crate) use left::Left;
pub use zone::ZoneMap;
