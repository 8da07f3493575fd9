//! Deletes WAL objects whose rows are in files, and closes streams that have ended. Only ever called after the flush commit.

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    recovery::{Fence, put_fence_if_space},
    registry,
};
use crate::{
    error::{EngineError, Result},
    quarantine,
    schema::{Sequence, StreamId},
    store::{Store, keys},
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
        .map(|sequence| async move { store.delete(&keys::wal_object(stream, Sequence(sequence))).await })
        .buffer_unordered(DELETE_CONCURRENCY)
        .try_collect()
        .await
}

/// Deletes the commits before `before` that are there, of a stream of which nobody knows what was deleted already.
///
/// # Errors
/// `Unavailable` when the store fails; deleting again is harmless.
pub(crate) async fn delete_listed_commits(store: &Store, stream: StreamId, before: Sequence) -> Result<()> {
    for meta in store.list(&keys::wal_folder(stream)).await? {
        if keys::parse_wal_object(&meta.location).is_some_and(|(_, sequence)| sequence < before) {
            store.delete(&meta.location).await?;
        }
    }
    Ok(())
}

/// Closes a stream all of whose rows are in files: deletes its commits but not the fence, which stays for good, so that
/// a process that wakes up late still runs into it; then removes the registry entry. What came to lie behind the fence never counted
/// and is set aside; what is not named as ours is left alone.
///
/// The last commit goes only when the fence is there, or when nothing else makes space for one; what lies behind it is moved after that.
/// Each tells the next start, should this one be cut off, that the stream had no more.
///
/// # Errors
/// `Unavailable` when the store fails or has no space for a fence that is not there yet; closing again is harmless.
pub(crate) async fn close_stream(store: &Store, stream: StreamId, fence: Fence) -> Result<()> {
    let last = fence.sequence.previous();
    delete_listed_commits(store, stream, last).await?;
    // What was deleted has made space. An object that has the key is a fence as well: nobody else writes here.
    let mut is_put = fence.is_put || put_fence_if_space(store, stream, fence.sequence).await?.is_some();
    store.delete(&keys::wal_object(stream, last)).await?;
    is_put = is_put || put_fence_if_space(store, stream, fence.sequence).await?.is_some();
    if !is_put {
        let failure = format!("no space for the fence {}", keys::wal_object(stream, fence.sequence));
        return Err(EngineError::WalStalled { failure });
    }
    for meta in store.list(&keys::wal_folder(stream)).await? {
        if keys::parse_wal_object(&meta.location).is_some_and(|(_, sequence)| sequence > fence.sequence) {
            quarantine::set_aside(store, &meta.location).await?;
        }
    }
    registry::remove(store, stream).await
}
