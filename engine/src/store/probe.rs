//! The check at start that put-if-absent refuses a second put of the same key. Some stores and mounts overwrite silently;
//! on those a fenced stream would go on and commits would replace each other, so we refuse to run.

use object_store::{PutPayload, path::Path};

use super::{PutOutcome, Store};
use crate::error::{EngineError, Result};

/// Where the probe puts its object. A crash may leave one; opening a local directory sweeps it.
pub(super) const PROBE_PREFIX: &str = "_probe";

const FIRST: &[u8] = b"first";
const SECOND: &[u8] = b"second";

/// Puts one key twice and removes it.
pub(super) async fn probe(store: &Store) -> Result<()> {
    let path = Path::from_iter([PROBE_PREFIX.to_owned(), store.ids().random().to_string()]);
    let refused = put_twice(store, &path).await;
    let deleted = store.delete(&path).await;
    if !refused? {
        return Err(EngineError::InvalidOption(format!(
            "{}: a second put-if-absent of the same key was not refused, so that acknowledged events could be \
             overwritten; use a store with conditional puts",
            store.object_store()
        )));
    }
    deleted
}

/// True when the second put was refused and left the first one's bytes.
async fn put_twice(store: &Store, path: &Path) -> Result<bool> {
    let first = store.put_if_absent(path, PutPayload::from_static(FIRST)).await?;
    let second = store.put_if_absent(path, PutPayload::from_static(SECOND)).await?;
    let kept = store.get(path).await?;
    Ok(first == PutOutcome::Created
        && second == PutOutcome::AlreadyExists
        && kept.is_some_and(|bytes| bytes == FIRST))
}
