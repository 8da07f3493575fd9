//! From memory to files: seal, encode, one Delta commit, then the WAL behind it may go.
//!
//! The flush task owns when and in which order; files are made in `file`, committed in `tables`, the log is let go of in `stream`. It never
//! drops a row that no committed file has. If you change the order, also look at the handover rule in `docs/design.md`.

mod files;
mod table;
mod flusher;

pub(crate) use flusher::{FlushMessage, Flusher, run};
pub(crate) use table::Portion;
#[cfg(test)]
pub(crate) use table::flush_table;
