//! The sessions that queries clone: functions, settings, memory pool, caches.
//!
//! `query` clones them. Settings of DataFusion are made here alone. If you register a function, also look at the test that names every one
//! (`functions/bounded/every_function.rs`).

mod shape;
mod template;

#[cfg(test)]
mod exchange_tests;

pub(crate) use shape::Shape;
pub(crate) use template::Templates;
