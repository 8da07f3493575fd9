//! What a table is: its name, its columns and the rules of its rows. Everything that is stored is keyed by these types.

mod ids;
mod spec;

pub use ids::{Sequence, StreamId, TableName};
pub use spec::{TableSpec, column};
