//! What a query sees: one immutable [`Snapshot`] of a table, swapped atomically after each append, seal and flush commit.

mod snapshot;

pub use snapshot::Snapshot;
