//! What lies below `wal/`, by keys and sizes alone: which streams left something that no file holds, whether or not they are registered.

use std::collections::BTreeMap;

use object_store::path::Path;

use crate::{
    error::Result,
    schema::{Sequence, StreamId},
    store::{Store, keys},
};

/// A fence has about 200 bytes; the schema of a commit's rows alone takes more than this. **Units**: bytes.
const FENCE_BYTES_MAX: u64 = 512;

/// The objects of one stream and their sizes in bytes.
pub(crate) type StreamObjects = BTreeMap<Sequence, u64>;

/// The WAL objects of every stream. What is not named as ours is not looked at.
#[derive(Debug)]
pub(crate) struct Survey {
    streams: BTreeMap<StreamId, StreamObjects>,
}

impl Survey {
    /// Lists the whole WAL.
    ///
    /// # Errors
    /// `Unavailable` when the store fails.
    pub(crate) async fn of(store: &Store) -> Result<Self> {
        let mut streams: BTreeMap<StreamId, StreamObjects> = BTreeMap::new();
        for meta in store.list(&Path::from(keys::WAL)).await? {
            if let Some((stream, sequence)) = keys::parse_wal_object(&meta.location) {
                streams.entry(stream).or_default().insert(sequence, meta.size);
            }
        }
        Ok(Self { streams })
    }

    /// An object that tells that commits before it were flushed, if there is one: a stream begins at 1.
    pub(crate) fn flushed(&self) -> Option<Path> {
        self.streams.iter().find_map(|(stream, objects)| {
            let first = *objects.keys().next()?;
            (first > Sequence(1)).then(|| keys::wal_object(*stream, first))
        })
    }

    /// Whether anything of a stream is left.
    pub(crate) fn holds(&self, stream: StreamId) -> bool {
        self.streams.contains_key(&stream)
    }

    /// Streams with more behind their txn than the fence that ends a stream which was closed.
    pub(crate) fn unfinished(&self, flushed: impl Fn(StreamId) -> Sequence) -> Vec<StreamId> {
        let is_unfinished = |(stream, objects): &(&StreamId, &StreamObjects)| {
            let next = flushed(**stream).next();
            let mut behind = objects.range(next..);
            match (behind.next(), behind.next()) {
                (None, _) => false,
                (Some((sequence, bytes)), None) => *sequence != next || *bytes >= FENCE_BYTES_MAX,
                (Some(_), Some(_)) => true,
            }
        };
        self.streams.iter().filter(is_unfinished).map(|(stream, _)| *stream).collect()
    }
}

/// The objects of one stream, as they are now.
///
/// # Errors
/// `Unavailable` when the store fails.
pub(super) async fn objects_of(store: &Store, stream: StreamId) -> Result<StreamObjects> {
    let listed = store.list(&keys::wal_folder(stream)).await?;
    let keys = listed.iter().filter_map(|meta| Some((keys::parse_wal_object(&meta.location)?.1, meta.size)));
    Ok(keys.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_stream_is_not_unfinished() {
        let stream = StreamId::generate();
        let unfinished = |objects: &[(u64, u64)], txn: u64| {
            let objects = objects.iter().map(|(sequence, bytes)| (Sequence(*sequence), *bytes)).collect();
            let survey = Survey { streams: BTreeMap::from([(stream, objects)]) };
            !survey.unfinished(|_| Sequence(txn)).is_empty()
        };
        assert!(!unfinished(&[(4, 208)], 3), "closed");
        assert!(!unfinished(&[(4, 208)], 4), "closed by an early build");
        assert!(!unfinished(&[(2, 9_000), (3, 9_000)], 3), "all in files");
        assert!(unfinished(&[(4, 208)], 2), "commit 3 is in no file");
        assert!(unfinished(&[(3, 9_000)], 2), "a commit is not a fence");
        assert!(unfinished(&[(3, 9_000), (4, 208)], 2), "a commit before the fence");
    }
}
