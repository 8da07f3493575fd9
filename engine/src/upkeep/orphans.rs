//! Ends orphans: data files of ours and their rollups that no version names and that are too old to be part of a flush under way. A
//! flush that was cut off leaves them. A file that a version removed is not one: that is for a vacuum to decide; nor is a file
//! whose name is not one that we give.

use std::collections::HashSet;

use object_store::{ObjectMeta, path::Path};
use uuid::Uuid;

use crate::{
    delta::{DeltaLog, TableState, data_file_of},
    error::Result,
    health::Health,
    quarantine,
    store::Store,
    tables::Tables,
};

/// Age from which an unnamed file is an orphan, by the store's own times. **Units**: µs.
const ORPHAN_AGE_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// What becomes of an orphan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OrphanEnd {
    /// The log is whole: nobody can want it. One that a version of an earlier build may have named is set aside all the same.
    Deleted,
    /// Something was found amiss, and nobody has looked at it yet.
    SetAside,
}

/// Makes space on a full disk at a start, before anything is flushed: what a flush that was cut off has left takes the space that the
/// next one needs. Beside anything amiss nothing is deleted.
pub(crate) async fn free_space(store: &Store, tables: &Tables, health: &Health) {
    if store.root().is_none() || !store.is_full() || !health.is_whole().await {
        return;
    }
    for table in tables.iter() {
        match delete_young_orphans(&table.log, &table.view.snapshot().table).await {
            Ok(0) => {}
            Ok(files) => tracing::warn!(
                files,
                "the disk is full: deleted what was written for a flush that was cut off"
            ),
            Err(error) => tracing::warn!(%error, "cannot look for orphaned files"),
        }
    }
}

/// Deletes what flushes that were cut off have left; while something is in quarantine it goes there as well. Only a missed clean-up
/// when it fails.
pub(crate) async fn end_orphans(store: &Store, tables: &Tables) {
    let end = match quarantine::is_empty(store).await {
        Ok(true) => OrphanEnd::Deleted,
        Ok(false) => OrphanEnd::SetAside,
        Err(error) => return tracing::warn!(%error, "cannot look for orphaned files"),
    };
    for table in tables.iter() {
        match end_orphans_of(&table.log, &table.view.snapshot().table, end).await {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, table = %table.spec.name(), ?end, "orphaned files"),
            Err(error) => tracing::warn!(%error, "cannot look for orphaned files"),
        }
    }
}

/// Ends the orphans of a table and returns how many there were. `state` must not be older than the listing less the age.
///
/// # Errors
/// `Unavailable` when the store fails; what was left is found next time.
async fn end_orphans_of(log: &DeltaLog, state: &TableState, end: OrphanEnd) -> Result<usize> {
    let oldest_kept = log.clock.now_micros() - ORPHAN_AGE_MICROS;
    let mut count = 0;
    for meta in orphans(log, state).await? {
        if meta.last_modified.timestamp_micros() >= oldest_kept {
            continue;
        }
        match end {
            OrphanEnd::Deleted if !may_be_named(state, &meta) => log.store.delete(&meta.location).await?,
            _ => quarantine::set_aside(&log.store, &meta.location).await?,
        }
        count += 1;
    }
    Ok(count)
}

/// Deletes the orphans of a table whatever their age, and returns how many there were: on a full disk, what a flush that was cut off has
/// left takes the space that the next one needs. Only for a directory that nobody else writes, before the first flush, and only if
/// the mark proves that the log is whole.
///
/// # Errors
/// `Unavailable` when the store fails; what was left is found next time.
async fn delete_young_orphans(log: &DeltaLog, state: &TableState) -> Result<usize> {
    if log.newest_mark().await? != Some(state.version()) {
        return Ok(0);
    }
    let mut deleted = 0;
    for meta in orphans(log, state).await? {
        if !may_be_named(state, &meta) {
            log.store.delete(&meta.location).await?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

async fn orphans(log: &DeltaLog, state: &TableState) -> Result<Vec<ObjectMeta>> {
    let named: HashSet<&Path> = state.files().iter().map(|file| &file.location).collect();
    let mut objects = log.store.list(log.root()).await?;
    objects.retain(|meta| {
        // A rollup goes with its file.
        let data = data_file_of(log.root(), &meta.location);
        data.is_some_and(|data| !named.contains(&data) && !state.is_removed(&data))
    });
    Ok(objects)
}

/// Whether a version of an earlier build, which may have been cut short without a trace, may have named an object.
fn may_be_named(state: &TableState, meta: &ObjectMeta) -> bool {
    state.unsealed_ms() >= Some(meta.last_modified.timestamp_millis())
        || state.unsealed_ms().zip(named_ms(&meta.location)).is_some_and(|(last, named)| named <= last)
}

/// When a name of ours was made: its id begins with the time. **Units**: ms since 1970.
fn named_ms(path: &Path) -> Option<i64> {
    let (_, id) = path.filename()?.split_once('-')?;
    let (seconds, nanos) = Uuid::parse_str(id.split_once('.')?.0).ok()?.get_timestamp()?.to_unix();
    i64::try_from(seconds).ok()?.checked_mul(1_000)?.checked_add(i64::from(nanos) / 1_000_000)
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
    async fn only_files_of_ours_that_no_version_names_are_deleted() {
        let (log, state) = table().await;
        assert_eq!(end_orphans_of(&log, &state, OrphanEnd::Deleted).await.unwrap(), 2);
        let kept = [data("active"), data("removed"), rollup("active"), rollup("removed")];
        assert_eq!(left(&log, log.root()).await, [&kept[..], &["foo.parquet".to_owned()]].concat());
    }

    #[tokio::test]
    async fn beside_what_nobody_has_looked_at_orphans_are_set_aside() {
        let (log, state) = table().await;
        let before = left(&log, log.root()).await.len();
        assert_eq!(end_orphans_of(&log, &state, OrphanEnd::SetAside).await.unwrap(), 2);
        let aside = Path::from(format!("quarantine/{}", log.root()));
        assert_eq!(left(&log, &aside).await, [data("orphan"), rollup("orphan")]);
        assert_eq!(left(&log, log.root()).await.len(), before - 2);
        assert_eq!(end_orphans_of(&log, &state, OrphanEnd::SetAside).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn what_a_version_of_an_earlier_build_may_have_named_is_set_aside() {
        let (log, _) = table().await;
        let line =
            |engine| format!(r#"{{"commitInfo":{{"timestamp":9000000000000,"engineInfo":"{engine}"}}}}"#);
        log.store
            .put_if_absent(&log.version_path(3), PutPayload::from(line("other/1") + "\n"))
            .await
            .unwrap();
        let state = log.open(None).await.unwrap();
        assert_eq!(state.unsealed_ms(), None);
        log.store
            .put_if_absent(&log.version_path(4), PutPayload::from(line("hexflight/0.1.0") + "\n"))
            .await
            .unwrap();
        let state = log.open(None).await.unwrap();
        assert_eq!(end_orphans_of(&log, &state, OrphanEnd::Deleted).await.unwrap(), 2);
        assert_eq!(left(&log, &Path::from("quarantine")).await.len(), 2);
        assert_eq!(named_ms(&Path::from(data("orphan"))), Some(0x01a2_011b_0003));
    }

    /// A table with an active file, a removed one, an orphan, and a file that somebody else put there.
    async fn table() -> (DeltaLog, TableState) {
        let disk: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let spec = Arc::new(TableSpec::events());
        let log = DeltaLog::new(Store::new(Arc::clone(&disk)), spec, Arc::new(InTwoDays));
        log.open(None).await.unwrap();
        let add = |name| {
            format!(
                r#"{{"add":{{"path":"{}","partitionValues":{{}},"size":1,"modificationTime":0,"dataChange":true}}}}"#,
                data(name)
            )
        };
        let first = format!("{}\n{}", add("active"), add("removed"));
        let second = format!(r#"{{"remove":{{"path":"{}","dataChange":false}}}}"#, data("removed"));
        for (version, lines) in [(1, first), (2, second)] {
            disk.put(&log.version_path(version), PutPayload::from(lines)).await.unwrap();
        }
        let files = ["active", "removed", "orphan"].into_iter().flat_map(|name| [data(name), rollup(name)]);
        for name in files.chain(["foo.parquet".to_owned()]) {
            let path = Path::from(format!("{}/{name}", log.root()));
            disk.put(&path, PutPayload::from_static(b"x")).await.unwrap();
        }
        let state = log.open(None).await.unwrap();
        (log, state)
    }

    fn data(name: &str) -> String {
        format!("2026-01-01/00-{}.parquet", id(name))
    }

    fn rollup(name: &str) -> String {
        format!("_rollups/2026-01-01/00-{}.rollup", id(name))
    }

    fn id(name: &str) -> &'static str {
        match name {
            "active" => "01a2011b-0001-7000-8000-000000000000",
            "removed" => "01a2011b-0002-7000-8000-000000000000",
            _ => "01a2011b-0003-7000-8000-000000000000",
        }
    }

    /// Everything below a folder but the log.
    async fn left(log: &DeltaLog, folder: &Path) -> Vec<String> {
        let listed = log.store.list(folder).await.unwrap();
        let prefix = format!("{folder}/");
        let names = listed.iter().filter_map(|meta| meta.location.as_ref().strip_prefix(&prefix));
        names.filter(|name| !name.starts_with("_delta_log")).map(ToOwned::to_owned).collect()
    }
}
