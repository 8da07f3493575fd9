//! What a query sees: one immutable [`Snapshot`] of a table, swapped atomically after each append, seal and flush commit.
//!
//! `tables` is the only one to change it. It never waits: a query holds an `Arc`, not a lock.

mod snapshot;
mod table_view;

pub use snapshot::Snapshot;
pub(crate) use table_view::TableView;
