//! `hexflight import`: bulk loads. Files of any size, here or in an object store, become rows of a table in one commit, once.
//!
//! ```text
//!  args ─▶ command ─▶ files::load ─▶ an engine here, or a server behind Flight
//!              └─▶ check: the dry run
//! ```

mod check;
mod args;
mod command;

pub use args::ImportArgs;
pub use command::run;

pub use crate::files::{FileFormat, ImportError};
