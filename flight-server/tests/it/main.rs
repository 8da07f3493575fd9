//! The server from outside: a real server on free ports over a temporary folder, driven by arrow-flight's clients.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and time is the machine's"
)]

mod harness;
mod house;
mod metrics;
mod settings;
mod ack;
mod bad_input;
mod hostile;
mod statement;
mod prepared;
mod catalog;
mod cancel;
mod lifecycle;
mod short_memory;
mod announced;
mod empty_batches;
mod numbers;
mod doubles;
mod metadata;
mod moments;
mod timestamp_unit;
mod cors;
mod strangers;
mod security;
