//! Files of events, here or in object stores: found, read, and brought into the columns of a table. A library: the command `import`, its dry run
//! and the HTTP door read files through it.
//!
//! ```text
//!  paths ─▶ source (folders, patterns; remote: object stores) ─▶ file (parquet, csv, ndjson) ─▶ mapping, conversion ─▶ rows
//!                                                                                                                     │
//!  load: hash, open, skip what is loaded, read two pieces at once ──────────────────────────────────────────────────────┤
//!                                                                                                                     ▼
//!                                                                          sink: an engine here, or a server behind Flight
//! ```
//! Nothing here decides whether a row is good: what cannot be brought into the schema is refused here, every other rule is the engine's.

#![expect(clippy::disallowed_methods, reason = "the files that are imported, and their scratch")]

pub(crate) mod error;
mod json;
mod number;
mod instant;
pub(crate) mod column;
mod position;
mod wkb;
mod rows;
pub(crate) mod conversion;
mod ignored;
mod position_column;
pub(crate) mod mapping;
mod finder;
mod recipe;
mod role;
pub(crate) mod content;
mod scratch;
mod text;
mod pages;
mod parquet;
mod csv;
mod event;
mod ndjson;
pub(crate) mod file;
pub(crate) mod source;
pub(crate) mod remote;
pub(crate) mod rejects;
pub(crate) mod progress;
pub(crate) mod sink;
pub(crate) mod load;

pub(crate) use file::{InputFile, ReadRules};
pub(crate) use load::{Load, LoadRules};
pub(crate) use mapping::ColumnRules;
pub(crate) use progress::LoadProgress;
pub(crate) use rejects::Rejects;
pub(crate) use scratch::Scratch;
pub(crate) use sink::{EngineSink, Sink};
pub(crate) use text::Compression;

pub use error::ImportError;
pub use file::FileFormat;

#[cfg(test)]
mod reading_tests;
