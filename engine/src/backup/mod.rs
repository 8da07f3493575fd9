//! Backup: a consistent copy of a data directory, made beside a running server without a lock and without a change to it.
//!
//! ```text
//! WAL objects ─▶ registry ─▶ Delta versions 0 … V are read ─▶ files active at V ─▶ holes of the WAL ─▶ the versions themselves
//!                                  ▲                              │                     │
//!                                  └──── a file has vanished ◀────┴── one is missing ◀──┘
//! ```
//!
//! **What must hold**: every row that was acknowledged before the copy began is in it, once. The row's commit *n* of stream *s* was
//! durable then, with all before it, and lies in the WAL or, when the txn of *s* has reached *n*, in files. WAL objects are deleted
//! only after the Delta version with that txn is in the log. Hence the order:
//!
//! - The WAL comes **before** the tables. An object that vanishes between the listing and its copy was flushed, and the log that is
//!   read afterwards says so. In the other order (tables, then WAL) rows that are flushed in between are in neither: `cp -r` and `tar`
//!   read a directory by name, and `tables` comes before `wal`.
//! - What is in both is no harm: the txn of the copied log decides, and objects up to it are taken out of the copy again.
//! - What is flushed after the WAL was copied is in the files of the log that is read later, with a txn beyond what was copied.
//! - A listing that runs beside puts may see a commit and miss an earlier one that was put meanwhile, or that lands out of order: up
//!   to four are on their way at once. Neither was acknowledged before the copy began. Such a hole is looked for again once the
//!   tables are copied: then the commit is there, or it was flushed and deleted, and a newer version has its rows. Only what is
//!   missing while nothing moves is missing in the original as well.
//! - The registry comes after the WAL: a stream is registered before its first commit. One that ends meanwhile loses its entry only
//!   after all its rows are in files, and the log that is read later has its txn. An entry without objects is no harm. It is copied a
//!   second time at the end, for streams that have begun meanwhile.
//! - A stream that was flushed and let go of while the WAL was copied may have left nothing in the copy. A start would miss its fence, or
//!   the last commit that was flushed: what is left of it is copied once the log names it.
//! - The files are those that are active at V. A merge removes files, and a vacuum deletes them after `--vacuum-after`: if one has
//!   vanished, a newer version has removed it, and the copy moves on to that version; what was copied already stays useful.
//! - The log is copied last, up to V, and an unfinished copy carries a mark that every start refuses.
//!
//! Objects never change, so bytes are copied and never linked: a link would share what befalls the original.

mod copier;
mod table;
mod wal;

use std::{path::Path as FsPath, sync::Arc, time::Duration};

use object_store::path::Path;

use self::{
    copier::{Copied, Copier},
    table::TableCopy,
    wal::WalCopy,
};
use crate::{
    clock::SystemClock,
    delta::DeltaLog,
    error::Result,
    finding::Finding,
    schema::{StreamId, TableSpec},
    store::{Store, keys},
    tasks::blocking,
    time,
};

/// Times that a missing WAL object is looked for, and the pause between two while nothing moves. A put takes milliseconds.
const HOLE_TRIES: usize = 20;
const HOLE_PAUSE: Duration = Duration::from_millis(100);

/// Folder of what was moved aside; its content is no part of the state, and may be all that is left of some rows.
const QUARANTINE: &str = "quarantine";

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupSummary {
    /// Objects.
    pub objects: usize,
    /// Their size. **Units**: bytes.
    pub bytes: u64,
    /// Rows in files and in the write-ahead log.
    pub rows: u64,
    /// Version of the Delta log.
    pub version: i64,
    /// What is wrong with the original, as far as a copy notices: the backup is complete, and as damaged as that.
    pub findings: Vec<Finding>,
}

/// Copies the data directory `from` into the new or empty folder `to`. A server may run over `from` meanwhile.
///
/// **Cancellation**: the copy stays unfinished; a start over it is refused.
///
/// # Errors
/// `Invalid` when `from` is no data directory, `to` holds anything, or one lies in the other; `Corrupt` when the Delta log is damaged;
/// `Unavailable` when a file system fails. The copy is unfinished then.
pub async fn backup(from: &FsPath, to: &FsPath) -> Result<BackupSummary> {
    let store = Store::open_unlocked(from)?;
    let copier = {
        let (from, to) = (from.to_path_buf(), to.to_path_buf());
        Arc::new(blocking("begin a backup", move || Copier::begin(&from, &to)).await?)
    };
    let mut wal = WalCopy::begin(&copier).await?;
    let mut registered = copy_registry(&copier).await?;
    let log = DeltaLog::new(store, Arc::new(TableSpec::events()), Arc::new(SystemClock));
    let mut table = TableCopy::new(&copier, log);
    for _ in 0..HOLE_TRIES {
        table.advance().await?;
        wal.add_ends(table.state.streams()).await?;
        if wal.fill(|stream| table.state.flushed(stream)).await? == 0 {
            break;
        }
        if !table.is_behind().await? {
            time::sleep(HOLE_PAUSE).await;
        }
    }
    // Once more, for streams that have begun meanwhile; those that have ended keep the entry of before.
    registered.extend(copy_registry(&copier).await?);
    let (state, version, file_rows) = (table.state.clone(), table.state.version(), table.row_count());
    let flushed = |stream| state.flushed(stream);
    let mut findings: Vec<Finding> = wal
        .unflushed(flushed)
        .into_iter()
        .filter(|stream| !registered.contains(stream))
        .map(|stream| {
            Finding::new(
                keys::stream_entry(stream),
                "missing, while the stream has commits that are in no file",
                "run `hexflight check` on the original",
            )
        })
        .collect();
    let (wal_rows, of_wal) = wal.finish(flushed).await?;
    findings.extend(of_wal);
    findings.extend(table.finish().await?);
    let Copied { objects, bytes } = {
        let copier = Arc::clone(&copier);
        blocking("finish a backup", move || {
            copy_folder(&copier, QUARANTINE)?;
            copier.finish()
        })
        .await?
    };
    Ok(BackupSummary { objects, bytes, rows: file_rows + wal_rows, version, findings })
}

/// Copies the entries of the registry and returns their streams.
async fn copy_registry(copier: &Arc<Copier>) -> Result<Vec<StreamId>> {
    let copier = Arc::clone(copier);
    blocking("copy the registry", move || {
        let mut streams = vec![];
        for name in copier.list("streams")? {
            let Some(stream) = name.strip_suffix(".json").and_then(StreamId::parse) else { continue };
            if copier.copy(&keys::stream_entry(stream))?.is_some() {
                streams.push(stream);
            }
        }
        Ok(streams)
    })
    .await
}

/// Copies whatever lies below a folder.
fn copy_folder(copier: &Copier, folder: &str) -> Result<()> {
    for name in copier.list(folder)? {
        let path = format!("{folder}/{name}");
        if copier.is_folder(&path) {
            copy_folder(copier, &path)?;
        } else if let Ok(key) = Path::parse(&path) {
            // Somebody who empties it meanwhile is welcome to.
            let _copied = copier.copy(&key)?;
        }
    }
    Ok(())
}
