//! The registry of streams: `streams/{stream}.json`, put before a stream's first ack, removed when it is closed and its
//! rows are in files. A stream without an entry has nothing to recover, unless its WAL says otherwise: then the entry was lost.

use object_store::{PutPayload, path::Path};
use serde::{Deserialize, Serialize};

use crate::{
    error::{EngineError, Result},
    finding::Finding,
    schema::StreamId,
    store::{PutOutcome, Store, keys},
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
    /// Whether the last flushed commit stays in the WAL until the next is flushed; earlier builds deleted it.
    #[serde(default)]
    pub(crate) keeps_flushed: bool,
}

/// Registers a new stream. Again is harmless: the answer to a put may get lost, and what it has put is found then.
///
/// # Errors
/// `Unavailable` when the store fails; the id must not be used then. `Corrupt` when another entry has the id.
pub(crate) async fn register(store: &Store, stream: StreamId) -> Result<()> {
    let entry = StreamEntry {
        format_version: FORMAT_VERSION,
        stream,
        node: String::from("local"),
        flight_url: String::new(),
        keeps_flushed: true,
    };
    let json = serde_json::to_vec(&entry).expect("an entry has a JSON form");
    let path = keys::stream_entry(stream);
    if store.put_if_absent(&path, PutPayload::from(json.clone())).await? == PutOutcome::Created
        || store.get(&path).await?.is_some_and(|found| found == json)
    {
        return Ok(());
    }
    Err(EngineError::Corrupt {
        path: path.to_string(),
        detail: String::from("a new stream's id is already registered"),
    })
}

/// A registered stream, and what is wrong with its entry.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) stream: StreamId,
    /// See [`StreamEntry`]; `false` if the entry cannot be read.
    pub(crate) keeps_flushed: bool,
    pub(crate) finding: Option<Finding>,
}

/// Lists the registered streams, oldest first. The id is in the key, and an entry says nothing else that one machine needs: one that
/// cannot be read counts. What is not named as an entry is not looked at.
///
/// # Errors
/// `Corrupt` for an entry of a newer format, `Unavailable` when the store fails.
pub(crate) async fn list(store: &Store) -> Result<Vec<Registered>> {
    let mut entries = vec![];
    for meta in store.list(&Path::from(keys::STREAMS)).await? {
        let Some(stream) = keys::parse_stream_entry(&meta.location) else { continue };
        if let Some(bytes) = store.get(&meta.location).await? {
            let (keeps_flushed, fault) = match read(&meta.location, stream, &bytes)? {
                Ok(entry) => (entry.keeps_flushed, None),
                Err(fault) => (false, Some(fault)),
            };
            let finding = fault.map(|fault| Finding {
                object: meta.location.to_string(),
                detail: format!("{fault}; the stream is taken over by its name"),
            });
            entries.push(Registered { stream, keeps_flushed, finding });
        }
    }
    entries.sort_by_key(|entry| entry.stream);
    Ok(entries)
}

/// Removes the entry of a closed stream.
///
/// # Errors
/// `Unavailable` when the store fails; closing again is harmless.
pub(crate) async fn remove(store: &Store, stream: StreamId) -> Result<()> {
    store.delete(&keys::stream_entry(stream)).await
}

/// Reads an entry, or says what is wrong with it.
///
/// # Errors
/// `Corrupt` for an entry of a newer format.
pub(crate) fn read(
    path: &Path,
    stream: StreamId,
    bytes: &[u8],
) -> Result<std::result::Result<StreamEntry, String>> {
    let entry: StreamEntry = match serde_json::from_slice(bytes) {
        Ok(entry) => entry,
        Err(error) => return Ok(Err(format!("{} bytes that are no entry: {error}", bytes.len()))),
    };
    if entry.format_version > FORMAT_VERSION {
        return Err(EngineError::Corrupt {
            path: path.to_string(),
            detail: format!(
                "format version {} is newer than {FORMAT_VERSION}, the newest this build reads; start a newer build",
                entry.format_version
            ),
        });
    }
    let is_own = entry.stream == stream;
    Ok(if is_own { Ok(entry) } else { Err(format!("names stream {}", entry.stream)) })
}
