//! From memory to files: seal, encode, one Delta commit, then the WAL behind it may go.

mod files;
mod table;
mod flusher;

pub(crate) use flusher::{FlushMessage, Flusher, run};
pub(crate) use table::Portion;
