//! Bulk loads: files of any size, here or in an object store, become rows of a table in one commit, once.
//!
//! ```text
//!  paths ─▶ source (folders, patterns; remote: object stores) ─▶ file (parquet, csv, ndjson) ─▶ mapping, conversion ─▶ rows
//!                                                                                                                     │
//!  args ─▶ command ─▶ load: hash, open, skip what is loaded, read two pieces at once ──────────────────────────────────┤
//!                     check: the dry run                                                                               ▼
//!                                                                          sink: an engine here, or a server behind Flight
//! ```
//! The command line, the HTTP door and the dry run read files through the same code. Nothing here decides whether a row is good:
//! what cannot be brought into the schema is refused here, every other rule is the engine's.

mod error;
mod json;
mod number;
mod instant;
mod column;
mod position;
mod wkb;
mod rows;
mod conversion;
mod ignored;
mod position_column;
mod mapping;
mod finder;
mod recipe;
mod role;
mod content;
mod scratch;
mod text;
mod pages;
mod parquet;
mod csv;
mod event;
mod ndjson;
mod file;
mod source;
mod remote;
mod rejects;
mod progress;
mod sink;
mod load;
mod check;
mod args;
mod command;

pub(crate) use file::{InputFile, ReadRules};
pub(crate) use load::{Load, LoadRules};
pub(crate) use mapping::ColumnRules;
pub(crate) use progress::Progress;
pub(crate) use rejects::Rejects;
pub(crate) use scratch::Scratch;
pub(crate) use sink::{EngineSink, Sink};
pub(crate) use text::Compression;

pub use args::{ImportArgs, OnError};
pub use command::run;
pub use error::ImportError;
pub use file::Format;

#[cfg(test)]
mod reading_tests;
