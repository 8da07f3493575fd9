//! The commands of the binary. Each has a room of its own; `cli` names them all. They use everything, and nothing uses them.

#![expect(clippy::disallowed_methods, reason = "commands write and read the files that their user names")]

pub mod simulate;
pub mod sql;
pub mod import;
mod check;
mod backup;
mod user;
pub mod demo;
mod cli;

pub use cli::{Cli, ServeArgs};
