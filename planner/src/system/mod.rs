//! Schema `system`: tables about the process itself, made anew for each query that reads them.
//!
//! `catalog` shows them. They read what `watch` knows, and only what the asker may see.

mod queries;
mod scan_columns;

pub(crate) use queries::{QUERIES_TABLE, QueriesTable};

/// Name of the schema.
pub const SYSTEM_SCHEMA_NAME: &str = "system";
