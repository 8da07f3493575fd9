//! The mark of a table: a tiny object whose key is the newest version that this table has ever had. Nothing else would tell that the
//! newest versions of a log are gone.
//!
//! It is put after its version, so it never promises too much; when it is missing, nothing is checked. Its content is for people.

use futures::{StreamExt, TryStreamExt, stream};
use object_store::{PutPayload, path::Path};

use super::log::{DeltaLog, version_number};
use crate::error::{EngineError, Result};

/// Below the table's root; other tools leave folders with this first letter alone.
const FOLDER: &str = "_marks";
const EXTENSION: &str = ".mark";
/// Marks deleted at once.
const DELETE_CONCURRENCY: usize = 4;

/// What a mark says to people.
pub(crate) fn mark_text(version: i64) -> Vec<u8> {
    format!("{version}\n").into_bytes()
}

impl DeltaLog {
    /// Marks the newest version of a log that was loaded, whoever wrote it, unless it is marked.
    pub(crate) async fn mark_loaded(&self, version: i64) {
        if !self.marks().await.is_ok_and(|marks| marks.contains(&version)) {
            self.mark(version).await;
        }
    }

    /// Marks a version that was just committed, and forgets the marks before it. Only a missed precaution when it fails.
    pub(super) async fn mark(&self, version: i64) {
        if let Err(error) = self.replace_mark(version).await {
            tracing::warn!(%error, version, "cannot mark the newest version; its loss would not be noticed");
        }
    }

    async fn replace_mark(&self, version: i64) -> Result<()> {
        let payload = PutPayload::from(mark_text(version));
        self.store.put_if_absent(&self.mark_path(version), payload).await?;
        let older: Vec<i64> = self.marks().await?.into_iter().filter(|mark| *mark < version).collect();
        let deletes =
            older.into_iter().map(|mark| async move { self.store.delete(&self.mark_path(mark)).await });
        let deletes: Vec<_> = deletes.collect();
        stream::iter(deletes).buffer_unordered(DELETE_CONCURRENCY).try_collect().await
    }

    /// Refuses a log that ends before its mark.
    ///
    /// # Errors
    /// `Corrupt` naming the first version that is gone.
    pub(super) fn check_mark(&self, mark: Option<i64>, newest: i64) -> Result<()> {
        let Some(mark) = mark.filter(|mark| *mark > newest) else { return Ok(()) };
        Err(EngineError::Corrupt {
            path: self.version_path(newest + 1).to_string(),
            detail: format!(
                "the log ends at version {newest}, but {} says that there was a version {mark}; restore versions {} to {mark} \
                 from a backup, or delete that mark to go on without them; nothing was changed or deleted",
                self.mark_path(mark),
                newest + 1
            ),
        })
    }

    /// The newest version that this table has ever had, if a mark says so.
    ///
    /// # Errors
    /// `Unavailable` when the store fails.
    pub(crate) async fn newest_mark(&self) -> Result<Option<i64>> {
        Ok(self.marks().await?.into_iter().max())
    }

    async fn marks(&self) -> Result<Vec<i64>> {
        let folder = self.mark_folder();
        let listed = self.store.list(&folder).await?;
        Ok(listed.iter().filter_map(|meta| version_number(&folder, &meta.location, EXTENSION)).collect())
    }

    fn mark_folder(&self) -> Path {
        self.root().clone().join(FOLDER)
    }

    /// Where the mark of a version is.
    pub(crate) fn mark_path(&self, version: i64) -> Path {
        self.mark_folder().join(format!("{version:020}{EXTENSION}"))
    }
}
