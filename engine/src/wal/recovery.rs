//! Recovery of a dead stream: fence it, load the tail that is in no file, let queries see it. Flushing goes on behind.
//!
//! ```text
//! txns ─▶ first free sequence ─▶ fence there ─▶ txns again: fence > txn ─▶ load (txn, fence) ─▶ adopt
//! ```

use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::{
    object::{self, Header, Object, ObjectKind},
    put::{PutEnd, folder, key, put_until_known},
};
use crate::{
    error::{EngineError, Result},
    schema::{Sequence, StreamId},
    store::Store,
};

/// WAL objects read at once.
const LOAD_CONCURRENCY: usize = 4;

/// Puts the fence of a stream at its first free sequence after `flushed`; what lies behind it never counts.
///
/// # Errors
/// `Corrupt` when an object before the fence cannot be read, `Unavailable` when the store fails.
pub(crate) async fn fence(store: &Store, stream: StreamId, flushed: Sequence) -> Result<Sequence> {
    // What the dead process had linked but not fsynced is readable now and must not vanish later.
    store.sync_listing(&folder(stream)).await?;
    let mut sequence = flushed.next();
    loop {
        let path = key(stream, sequence);
        match store.get(&path).await? {
            Some(found) => {
                if object::decode_header(path.as_ref(), &found)?.kind == ObjectKind::Fence {
                    return Ok(sequence);
                }
                sequence = sequence.next();
            }
            None if put_fence(store, stream, sequence).await? == PutEnd::Landed => return Ok(sequence),
            // Somebody put an object there meanwhile: look at it.
            None => {}
        }
    }
}

/// Puts a fence at exactly `sequence`.
pub(crate) async fn put_fence(store: &Store, stream: StreamId, sequence: Sequence) -> Result<PutEnd> {
    let header = Header::fence(stream, sequence);
    let put_id: Uuid = header.put_id;
    let path = key(stream, sequence);
    let on_failure =
        |attempt, failure| tracing::warn!(%path, attempt, failure, "cannot put a fence; trying again");
    put_until_known(store, &path, put_id, object::encode_fence(&header), on_failure).await
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
    let path = key(stream, sequence);
    let corrupt = |detail: String| EngineError::Corrupt { path: path.to_string(), detail };
    let found = store.get(&path).await?;
    let bytes =
        found.ok_or_else(|| corrupt(String::from("missing between the flushed rows and the fence")))?;
    let name = path.to_string();
    let object = tokio::task::spawn_blocking(move || object::decode(&name, &bytes))
        .await
        .map_err(|error| EngineError::Task { task: "wal decode", detail: error.to_string() })??;
    if object.header.stream != stream || object.header.sequence != sequence {
        return Err(corrupt(format!(
            "holds commit {} of stream {}",
            object.header.sequence, object.header.stream
        )));
    }
    Ok((sequence, object))
}
