//! Rows that are durable in the WAL but not yet in files: generations of batches, oldest first.

mod generation;
mod left;
mod zone;

pub use generation::{Generation, GenerationState, MemoryBatch};
pub(crate) use left::Left;
pub use zone::ZoneMap;
