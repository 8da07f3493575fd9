//! The engine through its public API, on a real directory.

mod support;
mod lifecycle;
mod handover;
