//! What a table is: its name, its columns and the rules of its rows. Everything that is stored is keyed by these types.
//!
//! Everybody asks here; it knows nobody. If you change a column, also look at `docs/formats.md`, the fixtures and `columns`.

mod ids;
mod spec;
mod columns;
mod roles;
mod event_columns;
mod nearest;

pub use columns::{ColumnRole, LOCATION, event_names};
pub(crate) use event_columns::{EventColumns, column_of, timestamps};
pub use ids::{Sequence, StreamId, TableName};
pub use nearest::nearest;
pub use roles::TableRole;
pub use spec::{TableSpec, column};
