//! Vacuum: deletes files that a version has removed, once they are old enough and nobody in this process reads them any more. It
//! believes the log alone: what no version ever named is an orphan, and not its concern. Nor are files that another tool wrote.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use metrics::counter;
use object_store::path::Path;
use tokio_util::sync::CancellationToken;

use crate::{
    delta::is_data_file,
    error::Result,
    schema::TableName,
    store::keys,
    tables::{Table, Tables},
    time::{self, MissedTickBehavior},
};

/// Files deleted at once.
const DELETE_CONCURRENCY: usize = 8;
/// Part of the retention after which files are looked for again.
const LOOK_PART: u32 = 8;
/// Shortest and longest pause between two looks.
const LOOK_INTERVAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(1));

/// See the module.
#[derive(Debug)]
pub(crate) struct Vacuum {
    tables: Arc<Tables>,
    /// How long a removed file stays.
    retention: Duration,
    seen: tokio::sync::Mutex<Seen>,
}

/// What a vacuum remembers of the one before.
#[derive(Debug, Default)]
struct Seen {
    /// Tables whose folder was listed: the log of a start names every file that was ever removed, and most are gone.
    listed: HashSet<TableName>,
}

impl Vacuum {
    pub(crate) fn new(tables: Arc<Tables>, retention: Duration) -> Self {
        Self { tables, retention, seen: tokio::sync::Mutex::default() }
    }

    /// Deletes what is due in every table. Returns the number of files.
    ///
    /// # Errors
    /// `Unavailable` when the store fails; what was not deleted is found next time.
    pub(crate) async fn delete_due(&self) -> Result<usize> {
        let mut seen = self.seen.lock().await;
        let mut deleted = 0;
        for table in self.tables.iter() {
            let retention_ms = i64::try_from(self.retention.as_millis()).unwrap_or(i64::MAX);
            let before_ms = table.log.now_ms().saturating_sub(retention_ms);
            let mut due = table.view.snapshot().table.unreferenced(before_ms);
            // What another tool wrote and removed, that tool deletes.
            due.retain(|path| is_data_file(table.log.root(), path));
            if due.is_empty() {
                continue;
            }
            deleted += seen.delete(table, due).await?;
        }
        Ok(deleted)
    }

    /// Vacuums from time to time until `stop` is cancelled.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let (shortest, longest) = LOOK_INTERVAL;
        let mut tick = time::interval((self.retention / LOOK_PART).clamp(shortest, longest));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            if let Err(error) = self.delete_due().await {
                counter!("hexflight_vacuum_failures_total").increment(1);
                tracing::warn!(%error, "cannot delete removed files; they are tried again");
            }
        }
    }
}

impl Seen {
    async fn delete(&mut self, table: &Table, due: Vec<Path>) -> Result<usize> {
        let name = table.spec.name();
        let store = &table.log.store;
        // A rollup goes before its file: a file that is still listed is looked at again.
        let root = table.log.root();
        let rollups = due.iter().filter_map(|file| keys::rollup_of(root, file));
        let mut there: Vec<Path> = rollups.chain(due.iter().cloned()).collect();
        if !self.listed.contains(name) {
            let listing = store.list(table.log.root()).await?;
            let found: HashSet<Path> = listing.into_iter().map(|meta| meta.location).collect();
            there.retain(|path| found.contains(path));
        }
        let deletes: Vec<_> = there.iter().map(|path| store.delete(path)).collect();
        let ends: Vec<Result<()>> = stream::iter(deletes).buffered(DELETE_CONCURRENCY).collect().await;
        let failed: HashSet<&Path> =
            there.iter().zip(&ends).filter(|(_, end)| end.is_err()).map(|(path, _)| path).collect();
        let gone: Vec<Path> = due.iter().filter(|path| !failed.contains(path)).cloned().collect();
        let due: HashSet<&Path> = due.iter().collect();
        let count = there.iter().filter(|path| due.contains(path) && !failed.contains(path)).count();
        table.forget_removed(&gone).await;
        counter!("hexflight_vacuum_files_total").increment(count as u64);
        if let Some(error) = ends.into_iter().find_map(Result::err) {
            return Err(error);
        }
        self.listed.insert(name.clone());
        if count > 0 {
            tracing::info!(files = count, table = %name, "deleted files that were removed");
        }
        Ok(count)
    }
}
