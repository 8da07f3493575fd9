//! Remembers what statements return and want, by their text: clients ask for the schema before each run, prepared statements twice.
//! Columns of a table never change while the process runs, so an entry stays true. Holds no snapshot and no plan.

use std::collections::HashMap;

use super::LogicalSchema;
use parking_lot::{Mutex, MutexGuard};

/// Statements remembered; when there are more, all are forgotten.
const ENTRIES_MAX: usize = 256;

/// Longer texts are not remembered. **Units**: bytes.
const SQL_BYTES_MAX: usize = 8 << 10;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct SchemaCache {
    entries: Mutex<HashMap<String, LogicalSchema>>,
}

impl SchemaCache {
    /// What is known of a statement.
    pub(super) fn get(&self, sql: &str) -> Option<LogicalSchema> {
        self.entries().get(sql).cloned()
    }

    /// Remembers a statement that was planned.
    pub(super) fn insert(&self, sql: &str, schema: &LogicalSchema) {
        if sql.len() > SQL_BYTES_MAX {
            return;
        }
        let mut entries = self.entries();
        if entries.len() >= ENTRIES_MAX {
            entries.clear();
        }
        entries.insert(sql.to_owned(), schema.clone());
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, LogicalSchema>> {
        self.entries.lock()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Schema;

    use super::*;

    #[test]
    fn statements_are_remembered_up_to_a_bound() {
        let cache = SchemaCache::default();
        let schema =
            LogicalSchema { result: Arc::new(Schema::empty()), parameters: Arc::new(Schema::empty()) };
        for number in 0..ENTRIES_MAX {
            cache.insert(&format!("SELECT {number}"), &schema);
        }
        assert!(cache.get("SELECT 0").is_some());
        cache.insert("SELECT -1", &schema);
        assert!(cache.get("SELECT 0").is_none() && cache.get("SELECT -1").is_some());
        let long = " ".repeat(SQL_BYTES_MAX + 1);
        cache.insert(&long, &schema);
        assert!(cache.get(&long).is_none());
    }
}
