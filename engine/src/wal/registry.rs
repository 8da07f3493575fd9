//! The registry of streams: `streams/{stream}.json`, put before a stream's first ack, removed when it is closed and its
//! rows are in files. A stream without an entry has nothing to recover.

use object_store::{PutPayload, path::Path};
use serde::{Deserialize, Serialize};

use crate::{
    error::{EngineError, Result},
    schema::StreamId,
    store::{PutOutcome, Store},
};

/// Version of the WAL and registry formats that this build writes and reads.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// A registry entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StreamEntry {
    pub(crate) format_version: u32,
    pub(crate) stream: StreamId,
    /// Name of the node that owns the stream.
    pub(crate) node: String,
    /// Where its Flight server listens; empty on a single machine.
    pub(crate) flight_url: String,
}

/// Registers a new stream.
///
/// # Errors
/// `Unavailable` when the store fails; the id must not be used then.
pub(crate) async fn register(store: &Store, stream: StreamId) -> Result<()> {
    let entry = StreamEntry {
        format_version: FORMAT_VERSION,
        stream,
        node: String::from("local"),
        flight_url: String::new(),
    };
    let json = serde_json::to_vec(&entry).unwrap_or_else(|error| unreachable!("entry as JSON: {error}"));
    match store.put_if_absent(&path(stream), PutPayload::from(json)).await? {
        PutOutcome::Created => Ok(()),
        PutOutcome::AlreadyExists => Err(EngineError::Corrupt {
            path: path(stream).to_string(),
            detail: String::from("a new stream's id is already registered"),
        }),
    }
}

/// Lists the registered streams, oldest first.
///
/// # Errors
/// `Corrupt` for an entry that cannot be read or is of a newer format.
pub(crate) async fn list(store: &Store) -> Result<Vec<StreamEntry>> {
    let mut entries = vec![];
    for meta in store.list(&Path::from("streams")).await? {
        if let Some(bytes) = store.get(&meta.location).await? {
            entries.push(parse(&meta.location, &bytes)?);
        }
    }
    entries.sort_by_key(|entry: &StreamEntry| entry.stream);
    Ok(entries)
}

/// Removes the entry of a closed stream.
///
/// # Errors
/// `Unavailable` when the store fails; closing again is harmless.
pub(crate) async fn remove(store: &Store, stream: StreamId) -> Result<()> {
    store.delete(&path(stream)).await
}

fn parse(path: &Path, bytes: &[u8]) -> Result<StreamEntry> {
    let corrupt = |detail: String| EngineError::Corrupt { path: path.to_string(), detail };
    let entry: StreamEntry = serde_json::from_slice(bytes).map_err(|error| corrupt(error.to_string()))?;
    if entry.format_version > FORMAT_VERSION {
        return Err(corrupt(format!(
            "format version {} is newer than {FORMAT_VERSION}, the newest this build reads",
            entry.format_version
        )));
    }
    Ok(entry)
}

fn path(stream: StreamId) -> Path {
    Path::from(format!("streams/{stream}.json"))
}
