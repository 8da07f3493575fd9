//! The server from outside: a real server on free ports over a temporary folder, driven by arrow-flight's clients.

#![expect(clippy::unwrap_used, clippy::panic, clippy::large_futures, reason = "a test fails by panicking, and its futures run once")]

mod harness;
mod ack;
mod bad_input;
mod hostile;
mod statement;
mod prepared;
mod catalog;
mod cancel;
mod lifecycle;
