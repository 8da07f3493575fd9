//! Check: looks at every stored object of a data directory, beside a running server too. It takes no lock and changes nothing.
//!
//! ```text
//! WAL objects ─▶ registry ─▶ Delta versions ─▶ tiling of WAL and txns ─▶ data files and rollups ─▶ whatever else lies there
//! ```
//!
//! The order is that of a backup, and for the same reason: what vanishes under a reader was flushed or merged, and the log that is
//! read later says so. Whatever seems wrong is compared with a newer version of the log before it is reported.

mod streams;
mod wal;
mod delta;
mod files;
mod strays;

use std::{path::Path, sync::Arc};

pub(crate) use streams::{Streams, WalObject};

use self::{delta::DeltaSeen, files::FilesSeen, wal::WalSeen};
use crate::{
    clock::SystemClock,
    delta::DeltaLog,
    error::Result,
    finding::Finding,
    schema::TableSpec,
    store::Store,
    tasks::{blocking, cores},
};

/// What was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckSummary {
    /// Versions of the Delta log.
    pub versions: u64,
    /// Active data files.
    pub files: u64,
    /// Their rows.
    pub file_rows: u64,
    /// Their size. **Units**: bytes.
    pub file_bytes: u64,
    /// Those without checksums, of earlier builds and of other tools.
    pub unchecked_files: u64,
    /// Objects of the write-ahead log.
    pub wal_objects: u64,
    /// Rows that are in no file yet and that a start finds.
    pub wal_rows: u64,
    /// Registered streams.
    pub streams: u64,
}

/// What a check came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// What was looked at.
    pub summary: CheckSummary,
    /// What is wrong, by object.
    pub findings: Vec<Finding>,
    /// What is not wrong and good to know.
    pub notes: Vec<String>,
}

/// Looks at every stored object of the data directory `root`. Damage is not an error: it is in the report.
///
/// # Errors
/// `Invalid` when `root` is no data directory, `Unavailable` when a folder cannot be listed.
pub async fn check(root: &Path) -> Result<CheckReport> {
    let store = Store::open_unlocked(root)?;
    let log = DeltaLog::new(store.clone(), Arc::new(TableSpec::events()), Arc::new(SystemClock));
    let mut wal = WalSeen::read(&store).await?;
    let DeltaSeen { mut state, versions, mut findings, marks } = DeltaSeen::read(&log).await?;
    let log_is_whole = findings.is_empty();
    findings.extend(marks);
    findings.extend(wal.compare(&log, &mut state, log_is_whole).await?);
    let FilesSeen { files, rows, bytes, unchecked, findings: of_files } =
        files::read(&log, &mut state, cores()).await?;
    findings.extend(of_files);
    let walked = {
        let root = root.to_path_buf();
        blocking("walk", move || strays::walk(&root)).await?
    };
    // A file that was listed was named by then, or is still on its way.
    if let (true, Ok(newer)) = (log_is_whole, log.refresh(&state).await) {
        state = newer;
    }
    let mut notes = strays::notes(&walked, log.root(), &state, log_is_whole);
    if log.newest_mark().await?.is_none() {
        notes.push(String::from(
            "no mark tells how many versions the Delta log has had, as of earlier builds: the loss of the newest would not be \
             noticed; the next start makes one",
        ));
    }
    let summary = CheckSummary {
        versions,
        files,
        file_rows: rows,
        file_bytes: bytes,
        unchecked_files: unchecked,
        wal_objects: wal.streams.len() as u64,
        wal_rows: wal.rows(&state),
        streams: wal.registered.len() as u64,
    };
    findings.sort_unstable();
    Ok(CheckReport { summary, findings, notes })
}
