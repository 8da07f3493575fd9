//! What a query sees: one immutable [`Snapshot`] of a table, swapped atomically after each append, seal and flush commit.

mod snapshot;
mod table_view;

pub use snapshot::Snapshot;
pub(crate) use table_view::TableView;
