//! From memory to files: seal, encode, one Delta commit, then the WAL behind it may go.

mod files;
mod table;
mod flusher;

pub(crate) use files::{Encoded, NewFile, blocking};
pub(crate) use flusher::{FlushMessage, FlushSignals, run};
pub(crate) use table::{Portion, flush_table};
