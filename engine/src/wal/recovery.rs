//! Recovery of a dead stream: fence it, load the tail that is in no file, let queries see it. Flushing goes on behind.
//!
//! ```text
//! txns ─▶ takeover: look at all streams, refuse or go on ─▶ fence at the first free sequence ─▶ load (txn, fence) ─▶ adopt
//! ```

use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::{
    object::{self, Header, Object},
    put::{PutEnd, key, put_until_known},
};
use crate::{
    error::{EngineError, Result},
    schema::{Sequence, StreamId},
    store::Store,
};

/// WAL objects read at once.
const LOAD_CONCURRENCY: usize = 4;

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
