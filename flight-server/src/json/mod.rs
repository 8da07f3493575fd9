//! Events as JSON, NDJSON and CloudEvents become a batch, or faults that say what is wrong with each. A library: it knows no protocol, and whoever
//! takes documents in reads them here.
//!
//! ```text
//!  document ─▶ event ─▶ columns ─▶ batch
//!     └─▶ cloud_event ─┘ └─▶ fault
//!       cursor, instant, spelling
//! ```
//! Nothing here decides whether a row is good: types, spellings, missing and doubled members are judged here, every other rule is the engine's.

mod cursor;
mod instant;
mod spelling;
mod columns;
pub(crate) mod fault;
mod event;
pub(crate) mod cloud_event;
pub(crate) mod document;
#[cfg(any(test, feature = "fuzzing"))]
mod fuzz;

#[cfg(test)]
mod cursor_tests;
#[cfg(test)]
mod document_tests;
#[cfg(test)]
mod model_tests;

pub(crate) use cursor::END_EXPECTED;
#[cfg(any(test, feature = "fuzzing"))]
pub use fuzz::json_document;
