//! The sessions that queries clone: functions, settings, memory pool, caches.

mod shape;
mod template;

#[cfg(test)]
mod exchange_tests;

pub(crate) use shape::Shape;
pub(crate) use template::Templates;
