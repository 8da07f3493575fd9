//! Looks at the data files that a version names, several at once, and tells what is damaged from what a merge has just removed.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    delta::{DataFile, DeltaLog, TableState},
    error::{EngineError, Result},
    file_check::{FileCheck, check_file},
    finding::Finding,
};

/// What all files came to.
#[derive(Debug, Default)]
pub(super) struct FilesSeen {
    pub(super) files: u64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// Files of earlier builds and of other tools, which have no checksums.
    pub(super) unchecked: u64,
    pub(super) findings: Vec<Finding>,
}

/// Looks at every active file, as many at once as there are cores. Beside a running server a file may be merged into another and be
/// deleted meanwhile: what is damaged counts only if it is active in the newest version.
///
/// # Errors
/// `Unavailable` when the store fails.
pub(super) async fn read(log: &DeltaLog, state: &mut TableState, concurrency: usize) -> Result<FilesSeen> {
    let looks: Vec<_> = state.files().iter().map(|file| look(log, Arc::clone(file))).collect();
    let mut looks = stream::iter(looks).buffer_unordered(concurrency);
    let mut seen = FilesSeen::default();
    let mut damaged = vec![];
    while let Some((file, found)) = looks.try_next().await? {
        seen.files += 1;
        seen.rows += found.rows;
        seen.bytes += file.size_bytes;
        seen.unchecked += u64::from(!found.has_checksums);
        if !found.damage.is_empty() {
            damaged.push((file, found.damage));
        }
    }
    drop(looks);
    if damaged.is_empty() {
        return Ok(seen);
    }
    if let Ok(newer) = log.refresh(state).await {
        *state = newer;
    }
    for (file, damage) in damaged {
        if state.files().iter().any(|active| active.location == file.location) {
            seen.findings.extend(damage.iter().map(|error| finding(&file, error)));
        }
    }
    Ok(seen)
}

/// A file that the disk refuses to read is one that cannot be read, and no reason to stop.
async fn look(log: &DeltaLog, file: Arc<DataFile>) -> Result<(Arc<DataFile>, FileCheck)> {
    let check = match check_file(&log.store, &log.spec, &file).await {
        Ok(check) => check,
        Err(error @ (EngineError::Store { .. } | EngineError::Io { .. })) => {
            FileCheck { has_checksums: file.checksums.is_some(), damage: vec![error], ..FileCheck::default() }
        }
        Err(error) => return Err(error),
    };
    Ok((file, check))
}

fn finding(file: &DataFile, error: &EngineError) -> Finding {
    let rollup = file.rollup.as_ref().map(|rollup| rollup.location.to_string());
    match error {
        EngineError::Corrupt { path, detail } if rollup.as_ref() == Some(path) => Finding::new(
            path,
            detail,
            "its rows are read instead, and are whole unless their file is named as well; a merge writes another",
        ),
        EngineError::Corrupt { path, detail } => {
            Finding::new(path, detail, "its rows cannot be trusted; restore it from a backup")
        }
        error => Finding::new(&file.location, error, "its rows cannot be read; restore it from a backup"),
    }
}
