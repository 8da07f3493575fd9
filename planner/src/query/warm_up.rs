//! Reading, before the first query comes, what it would begin with: after a start nothing of any file is in memory.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use hexflight_engine::{DataFile, Engine, time};

use crate::cache::Caches;

/// Files read at once.
const FILES_AT_ONCE: usize = 8;

/// Reads the directories of rollups and the footers of files, the newest first, for at most `time`. What cannot be read is left
/// to the query that wants it.
pub(super) async fn warm_up(engine: &Engine, caches: &Caches, time: Duration) {
    for (name, cache) in caches {
        let Ok(snapshot) = engine.snapshot(name) else { continue };
        let mut files: Vec<_> = snapshot.files().iter().map(Arc::clone).collect();
        files.sort_unstable_by_key(|file| Reverse(file.time()));
        let reads =
            stream::iter(files).for_each_concurrent(FILES_AT_ONCE, |file: Arc<DataFile>| async move {
                if let Err(error) = cache.warm(&file).await {
                    tracing::debug!(file = %file.location, %error, "not read ahead");
                }
            });
        if time::timeout(time, reads).await.is_err() {
            return;
        }
    }
}
