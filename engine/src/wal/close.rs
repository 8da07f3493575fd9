//! Deletes WAL objects whose rows are in files, and closes streams that have ended. Only ever called after the flush commit.

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    put::{key, parse_key},
    recovery::{Fence, put_fence_if_space},
    registry,
};
use crate::{
    error::{EngineError, Result},
    quarantine,
    schema::{Sequence, StreamId},
    store::Store,
};

/// Objects deleted at once.
const DELETE_CONCURRENCY: usize = 8;

/// Deletes the commits from `from` on and before `before`.
///
/// # Errors
/// `Unavailable` when the store fails; deleting again is harmless.
pub(crate) async fn delete_commits(
    store: &Store,
    stream: StreamId,
    from: Sequence,
    before: Sequence,
) -> Result<()> {
    stream::iter(from.0.max(1)..before.0)
        .map(|sequence| async move { store.delete(&key(stream, Sequence(sequence))).await })
        .buffer_unordered(DELETE_CONCURRENCY)
        .try_collect()
        .await
}

/// Closes a stream all of whose rows are in files: deletes its commits but not the fence, which stays for good, so that
/// a process that wakes up late still runs into it; then removes the registry entry. What came to lie behind the fence never counted
/// and is set aside; what is not named as ours is left alone.
///
/// # Errors
/// `Unavailable` when the store fails or has no space for a fence that is not there yet; closing again is harmless.
pub(crate) async fn close_stream(store: &Store, stream: StreamId, fence: Fence) -> Result<()> {
    for meta in store.list(&super::put::folder(stream)).await? {
        match parse_key(&meta.location) {
            Some((_, sequence)) if sequence < fence.sequence => store.delete(&meta.location).await?,
            Some((_, sequence)) if sequence > fence.sequence => {
                quarantine::set_aside(store, &meta.location).await?
            }
            _ => {}
        }
    }
    // What was deleted above has made space. An object that has the key is a fence as well: nobody else writes here.
    if !fence.is_put && put_fence_if_space(store, stream, fence.sequence).await?.is_none() {
        let failure = format!("no space for the fence {}", key(stream, fence.sequence));
        return Err(EngineError::WalStalled { failure });
    }
    registry::remove(store, stream).await
}
