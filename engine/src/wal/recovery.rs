//! Recovery of a dead stream: fence it, load the tail that is in no file, let queries see it. Flushing goes on behind.
//!
//! ```text
//! txns ─▶ takeover: look at all streams, refuse or go on ─▶ fence at the first free sequence ─▶ load (txn, fence) ─▶ adopt
//! ```

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    object::{self, Header, Object},
    put::{PutEnd, put_if_space, put_until_known},
};
use crate::{
    error::{EngineError, ErrorKind, Result},
    schema::{Sequence, StreamId},
    store::{Store, keys},
    tasks::blocking,
};

/// WAL objects read at once.
const LOAD_CONCURRENCY: usize = 4;

/// Where a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fence {
    pub(crate) sequence: Sequence,
    /// Whether the fence is there. On a full disk it is put later: until then the lock on the directory keeps others away.
    pub(crate) is_put: bool,
}

/// Puts a fence at exactly `sequence`; `None` when the disk is full.
///
/// # Errors
/// `Corrupt` when what has the key cannot be read. Other failures are tried on until the outcome is known.
pub(crate) async fn put_fence_if_space(
    store: &Store,
    stream: StreamId,
    sequence: Sequence,
) -> Result<Option<PutEnd>> {
    let header = Header::fence(store.ids(), stream, sequence);
    let (path, payload) = (keys::wal_object(stream, sequence), object::encode_fence(&header));
    match put_if_space(store, &path, header.put_id, payload.clone()).await {
        // The outcome is unknown: the same bytes are put until it is.
        Err(error) if error.kind() == ErrorKind::Unavailable => {
            let on_failure = |attempt, failure| tracing::warn!(%path, attempt, failure, "cannot put a fence; trying again");
            put_until_known(store, &path, header.put_id, payload, on_failure).await.map(Some)
        }
        put => put,
    }
}

/// Reads the commits after `flushed` and before `fence`, in order.
pub(crate) fn tail(
    store: &Store,
    stream: StreamId,
    flushed: Sequence,
    fence: Sequence,
) -> impl futures::Stream<Item = Result<(Sequence, Object)>> + '_ {
    stream::iter((flushed.0 + 1..fence.0).map(Sequence))
        .map(move |sequence| read(store.clone(), stream, sequence))
        .buffered(LOAD_CONCURRENCY)
        .into_stream()
}

async fn read(store: Store, stream: StreamId, sequence: Sequence) -> Result<(Sequence, Object)> {
    let path = keys::wal_object(stream, sequence);
    let corrupt = |detail: String| EngineError::Corrupt { path: path.to_string(), detail };
    let found = store.get(&path).await?;
    let bytes =
        found.ok_or_else(|| corrupt(String::from("missing between the flushed rows and the fence")))?;
    let name = path.to_string();
    let object = blocking("wal decode", move || object::decode(&name, &bytes)).await?;
    if object.header.stream != stream || object.header.sequence != sequence {
        return Err(corrupt(format!(
            "holds commit {} of stream {}",
            object.header.sequence, object.header.stream
        )));
    }
    Ok((sequence, object))
}
