//! The session that every query clones: functions, settings, memory pool, caches.

mod pool;
mod yield_in_joins;
mod template;

pub use template::{CATALOG_NAME, SCHEMA_NAME};
pub(crate) use template::{STORE_URL, query_state, template};
