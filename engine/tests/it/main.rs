//! The engine through its public API, on a real directory.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    reason = "a test stops where it fails, its numbers are small, and time is the machine's"
)]

mod support;
mod recording;
mod lifecycle;
mod short_memory;
mod privacy;
mod handover;
mod crash;
mod formats;
mod faulty_store;
mod faults;
mod simulation;
mod import;
mod compact;
mod full_disk;
mod check;
mod backup;
mod damage;
mod file_damage;
