//! The quarantine: where objects go that nothing names and that might be wanted all the same. Each lies below `quarantine/` under its own
//! key, byte for byte. The engine only adds to it; people look, and empty it.
//!
//! While it holds anything, somebody has yet to decide what became of some rows: orphans are set aside as well then.

use metrics::counter;
use object_store::{PutPayload, path::Path};

use crate::{
    error::Result,
    store::{PutOutcome, Store, keys::QUARANTINE},
};

/// Moves an object into the quarantine; one that is gone already is fine. A crash leaves it in one place or both.
///
/// # Errors
/// `Unavailable` when the store fails; the object is then where it was.
pub(crate) async fn set_aside(store: &Store, path: &Path) -> Result<()> {
    let Some(bytes) = store.get(path).await? else { return Ok(()) };
    let mut target = Path::from(format!("{QUARANTINE}/{path}"));
    let mut taken = 0;
    while store.put_if_absent(&target, PutPayload::from(bytes.clone())).await? == PutOutcome::AlreadyExists {
        // The same bytes are what a move that was cut off has left.
        if store.get(&target).await?.is_some_and(|found| found == bytes) {
            break;
        }
        taken += 1;
        target = Path::from(format!("{QUARANTINE}/{path}.{taken}"));
    }
    store.delete(path).await?;
    counter!("hexflight_quarantine_objects_total").increment(1);
    tracing::warn!(%path, %target, "set an object aside");
    Ok(())
}

/// Whether nothing was set aside, or people have dealt with all of it.
///
/// # Errors
/// `Unavailable` when the store fails.
pub(crate) async fn is_empty(store: &Store) -> Result<bool> {
    Ok(store.list(&Path::from(QUARANTINE)).await?.is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn what_is_set_aside_keeps_its_bytes_and_never_replaces_another() {
        let store = Store::new(Arc::new(InMemory::new()));
        let path = Path::from("wal/x/1.wal");
        assert!(is_empty(&store).await.unwrap());
        for content in ["first", "second", "second"] {
            store.put_if_absent(&path, PutPayload::from(content.as_bytes().to_vec())).await.unwrap();
            set_aside(&store, &path).await.unwrap();
            assert_eq!(store.get(&path).await.unwrap(), None);
        }
        set_aside(&store, &path).await.unwrap();
        for (target, content) in [("quarantine/wal/x/1.wal", "first"), ("quarantine/wal/x/1.wal.1", "second")]
        {
            assert_eq!(store.get(&Path::from(target)).await.unwrap().unwrap(), content);
        }
        assert_eq!(store.list(&Path::from(QUARANTINE)).await.unwrap().len(), 2);
    }
}
