//! The sessions that queries clone: functions, settings, memory pool, caches.

mod pool;
mod query_pool;
mod shape;
mod template;

#[cfg(test)]
mod exchange_tests;

pub(crate) use pool::ClassPools;
pub(crate) use query_pool::{Exhausted, QueryMemory};
pub(crate) use shape::Shape;
pub use template::{CATALOG_NAME, SCHEMA_NAME};
pub(crate) use template::{STORE_URL, Templates};
