//! Deletes orphans: Parquet files below a table's root that no version names and that are too old to be part of a flush
//! under way. A flush that was cut off leaves them.

use std::collections::HashSet;

use object_store::path::Path;

use super::{TableState, log::DeltaLog};
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
        let is_data = meta.location.extension() == Some("parquet");
        if is_data && !named.contains(&meta.location) && meta.last_modified.timestamp_micros() < oldest_kept {
            log.store.delete(&meta.location).await?;
            deleted += 1;
        }
    }
    Ok(deleted)
}
