//! Rows that are durable in the WAL but not yet in files: generations of batches, oldest first.

mod generation;
mod zone;

pub use generation::{Generation, GenerationState, MemoryBatch};
pub use zone::ZoneMap;
