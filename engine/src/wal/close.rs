//! Deletes WAL objects whose rows are in files, and closes streams that have ended. Only ever called after the flush commit.

use futures::{StreamExt, TryStreamExt, stream};

use super::{put::key, registry};
use crate::{
    error::Result,
    schema::{Sequence, StreamId},
    store::Store,
};

/// Objects deleted at once.
const DELETE_CONCURRENCY: usize = 8;

/// Deletes the commits after `from` up to and with `to`.
///
/// # Errors
/// `Unavailable` when the store fails; deleting again is harmless.
pub(crate) async fn delete_commits(
    store: &Store,
    stream: StreamId,
    from: Sequence,
    to: Sequence,
) -> Result<()> {
    stream::iter(from.0 + 1..=to.0)
        .map(|sequence| async move { store.delete(&key(stream, Sequence(sequence))).await })
        .buffer_unordered(DELETE_CONCURRENCY)
        .try_collect()
        .await
}

/// Closes a stream all of whose rows are in files: deletes what is left of it but the fence, which stays for good, so that
/// a process that wakes up late still runs into it; then removes the registry entry.
///
/// # Errors
/// `Unavailable` when the store fails; closing again is harmless.
pub(crate) async fn close_stream(store: &Store, stream: StreamId, fence: Sequence) -> Result<()> {
    let fence_key = key(stream, fence);
    for meta in store.list(&super::put::folder(stream)).await? {
        if meta.location != fence_key {
            store.delete(&meta.location).await?;
        }
    }
    registry::remove(store, stream).await
}
