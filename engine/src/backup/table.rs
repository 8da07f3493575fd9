//! `TableCopy`: one table's part of a backup: the Delta log up to a version, and every file that is active in it.

use std::{collections::BTreeMap, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;

use super::copier::{CopiedObject, Copier};
use crate::{
    delta::{DeltaLog, TableState, mark_text},
    error::{EngineError, Result},
    finding::Finding,
    tasks::blocking,
};

/// Files copied at once.
const COPY_CONCURRENCY: usize = 4;
/// Times that files may vanish under the copy, each time because a newer version has removed them.
const TRIES_MAX: usize = 50;

/// See the module.
#[derive(Debug)]
pub(super) struct TableCopy {
    copier: Arc<Copier>,
    log: DeltaLog,
    pub(super) state: TableState,
    copied: BTreeMap<Path, CopiedObject>,
    /// Objects that the version names and that are not there.
    missing: Vec<Path>,
}

impl TableCopy {
    pub(super) fn new(copier: &Arc<Copier>, log: DeltaLog) -> Self {
        let state = TableState::empty();
        Self { copier: Arc::clone(copier), log, state, copied: BTreeMap::new(), missing: vec![] }
    }

    /// Moves to the newest version and copies the files that it has and the copy lacks.
    ///
    /// # Errors
    /// `Corrupt` when a version is missing or unreadable, `Unavailable` when a file system fails or files vanish faster than they
    /// are copied.
    pub(super) async fn advance(&mut self) -> Result<()> {
        for _ in 0..TRIES_MAX {
            self.state = self.log.refresh(&self.state).await?;
            self.check_contiguous().await?;
            self.missing = self.copy_files().await?;
            // A file is deleted only after a version has removed it: without a newer version it is lost.
            if self.missing.is_empty() || !self.is_behind().await? {
                return Ok(());
            }
        }
        Err(EngineError::InvalidOption(format!(
            "table {}: files are merged and deleted faster than they are copied; start the server with a longer \
             --vacuum-after",
            self.log.spec.name()
        )))
    }

    /// Whether the original has a newer version.
    ///
    /// # Errors
    /// `Unavailable` when the file system fails.
    pub(super) async fn is_behind(&self) -> Result<bool> {
        let next = self.log.version_path(self.state.version() + 1);
        Ok(self.log.store.head(&next).await?.is_some())
    }

    /// Copies the log, and takes files out of the copy that a later version has removed. Returns what is wrong with the files.
    ///
    /// # Errors
    /// `Unavailable` when a file system fails.
    pub(super) async fn finish(self) -> Result<Vec<Finding>> {
        let newest = self.state.version();
        self.copier.write(&self.log.mark_path(newest), &mark_text(newest))?;
        let versions = (0..=self.state.version()).map(|version| self.log.version_path(version)).collect();
        let lost = copy_all(&self.copier, versions).await?.into_iter().filter(|(_, bytes)| bytes.is_none());
        let lost = lost.map(|(version, _)| {
            Finding::new(version, "vanished while it was copied", "make the backup again")
        });
        let mut findings: Vec<Finding> = lost.collect();
        let mut left_over = self.copied;
        for file in self.state.files() {
            let copied = left_over.remove(&file.location);
            if let Some(problem) = copied.and_then(|copied| file.difference(copied.bytes, copied.crc)) {
                let advice = "it was copied as it is: run `hexflight check` on the original";
                findings.push(Finding::new(&file.location, problem.detail(), advice));
            }
            if let Some(rollup) = &file.rollup {
                left_over.remove(&rollup.location);
            }
        }
        findings.extend(self.missing.iter().map(|path| {
            Finding::new(
                path,
                "the log names it, and it is not there",
                "run `hexflight check` on the original",
            )
        }));
        let copier = self.copier;
        let trim = move || left_over.keys().try_for_each(|key| copier.remove(key));
        blocking("trim files", trim).await?;
        Ok(findings)
    }

    /// Rows of the files, as far as the log says so.
    pub(super) fn row_count(&self) -> u64 {
        self.state.files().iter().filter_map(|file| file.row_count).sum()
    }

    /// A gap in the log would end it without a word, with all that lies behind.
    async fn check_contiguous(&self) -> Result<()> {
        let newest = self.log.newest().await?;
        let version = self.state.version();
        if newest <= version && version >= 0 {
            return Ok(());
        }
        let path = self.log.version_path(version + 1);
        // It may have been put since it was looked for.
        if self.log.store.head(&path).await?.is_some() {
            return Ok(());
        }
        Err(EngineError::Corrupt {
            path: path.to_string(),
            detail: format!("version {} is missing, the newest is {newest}", version + 1),
        })
    }

    /// Copies what is active and not copied yet, the newest first: they are merged soonest. Returns what is not there.
    async fn copy_files(&mut self) -> Result<Vec<Path>> {
        let mut wanted = vec![];
        for file in self.state.files().iter().rev() {
            wanted.push(file.location.clone());
            wanted.extend(file.rollup.as_ref().map(|rollup| rollup.location.clone()));
        }
        wanted.retain(|path| !self.copied.contains_key(path));
        let mut missing = vec![];
        for (path, copied) in copy_all(&self.copier, wanted).await? {
            match copied {
                Some(copied) => drop(self.copied.insert(path, copied)),
                None => missing.push(path),
            }
        }
        Ok(missing)
    }
}

async fn copy_all(copier: &Arc<Copier>, keys: Vec<Path>) -> Result<Vec<(Path, Option<CopiedObject>)>> {
    let copies: Vec<_> = keys
        .into_iter()
        .map(|key| {
            let copier = Arc::clone(copier);
            blocking("copy a file", move || {
                let copied = copier.copy(&key)?;
                Ok((key, copied))
            })
        })
        .collect();
    stream::iter(copies).buffered(COPY_CONCURRENCY).try_collect().await
}
