//! What keeps a store tidy behind the caller's back: removed files go once nobody reads them (`vacuum`), and so do files that no version
//! names (`orphans`). Both believe the Delta log alone.

mod orphans;
mod vacuum;

pub(crate) use orphans::{end_orphans, free_space};
pub(crate) use vacuum::Vacuum;
