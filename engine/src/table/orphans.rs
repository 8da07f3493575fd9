//! Deletes orphans: Parquet files below a table's root that no version names and that are too old to be part of a flush
//! under way. A flush that was cut off leaves them. A file that a version removed is not one: that is for a vacuum to decide.

use std::collections::HashSet;

use object_store::path::Path;

use super::{RollupObject, TableState, log::DeltaLog};
use crate::error::Result;

/// Age from which an unnamed file is an orphan, by the store's own times. **Units**: µs.
const ORPHAN_AGE_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// Deletes the orphans of a table and returns how many there were. `state` must not be older than the listing less the age.
///
/// # Errors
/// `Unavailable` when the store fails; what was not deleted is found next time.
pub(crate) async fn delete_orphans(log: &DeltaLog, state: &TableState) -> Result<usize> {
    let named: HashSet<&Path> = state.files().iter().map(|file| &file.location).collect();
    let oldest_kept = log.clock.now_micros() - ORPHAN_AGE_MICROS;
    let mut deleted = 0;
    for meta in log.store.list(log.root()).await? {
        let data = match meta.location.extension() {
            Some("parquet") => Some(meta.location.clone()),
            // A rollup goes with its file.
            _ => RollupObject::file_of(log.root(), &meta.location),
        };
        let is_orphan = data.is_some_and(|data| !named.contains(&data) && !state.is_removed(&data));
        if is_orphan && meta.last_modified.timestamp_micros() < oldest_kept {
            log.store.delete(&meta.location).await?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::{ObjectStore, ObjectStoreExt, PutPayload, memory::InMemory};

    use super::*;
    use crate::{clock::Clock, schema::TableSpec, store::Store};

    /// Two days after everything that the store holds.
    #[derive(Debug)]
    struct InTwoDays;

    impl Clock for InTwoDays {
        fn now_micros(&self) -> i64 {
            crate::SystemClock.now_micros() + 2 * ORPHAN_AGE_MICROS
        }
    }

    #[tokio::test]
    async fn only_files_that_no_version_names_are_deleted() {
        let disk: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let spec = Arc::new(TableSpec::events());
        let log = DeltaLog::new(Store::new(Arc::clone(&disk)), spec, Arc::new(InTwoDays));
        log.open().await.unwrap();
        let add = |name| {
            format!(
                r#"{{"add":{{"path":"{name}.parquet","partitionValues":{{}},"size":1,"modificationTime":0,"dataChange":true}}}}"#
            )
        };
        let first = format!("{}\n{}", add("active"), add("removed"));
        let second = r#"{"remove":{"path":"removed.parquet","dataChange":false}}"#.to_owned();
        for (version, lines) in [(1, first), (2, second)] {
            disk.put(&log.version_path(version), PutPayload::from(lines)).await.unwrap();
        }
        for name in ["active", "removed", "orphan"] {
            let path = log.root().clone().join(format!("{name}.parquet"));
            let rollup = RollupObject::location_of(log.root(), &path).unwrap();
            assert_eq!(RollupObject::file_of(log.root(), &rollup), Some(path.clone()));
            disk.put(&path, PutPayload::from_static(b"x")).await.unwrap();
            disk.put(&rollup, PutPayload::from_static(b"x")).await.unwrap();
        }
        let state = log.open().await.unwrap();
        assert_eq!(delete_orphans(&log, &state).await.unwrap(), 2);
        let left = log.store.list(log.root()).await.unwrap();
        let names =
            left.iter().filter_map(|meta| meta.location.filename()).filter(|name| !name.ends_with("json"));
        let expected = ["active.rollup", "removed.rollup", "active.parquet", "removed.parquet"];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }
}
