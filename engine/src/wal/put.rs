//! Puts one object so that its outcome is known: landed, or somebody else's. The only place that writes WAL objects.

use std::time::Duration;

use bytes::Bytes;
use object_store::{PutPayload, path::Path};
use uuid::Uuid;

use super::object::decode_header;
use crate::{
    error::Result,
    store::{PutOutcome, Store},
    time,
};

/// First and longest pause between attempts.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// How a put ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PutEnd {
    /// Our bytes are there, durably.
    Landed,
    /// Another's object has the key: the stream is fenced.
    Fenced,
}

/// Puts `payload` at `path` and does not come back before the outcome is known.
///
/// A failed or refused PUT says nothing: the bytes may be there. So the key is read: our put-id means landed, another's
/// means fenced, nothing there means the same bytes go to the same key again. A sequence number is never skipped.
/// `stalled` hears of each failure, for those who wait.
pub(crate) async fn put_until_known(
    store: &Store,
    path: &Path,
    put_id: Uuid,
    payload: PutPayload,
    mut stalled: impl FnMut(u32, String),
) -> Result<PutEnd> {
    let mut pause = BACKOFF.0;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let failure = match store.put_if_absent(path, payload.clone()).await {
            Ok(PutOutcome::Created) => return Ok(PutEnd::Landed),
            Ok(PutOutcome::AlreadyExists) => String::from("the key was taken and then free again"),
            Err(error) => error.to_string(),
        };
        match store.get(path).await {
            Ok(Some(found)) => return whose(path, put_id, &found),
            Ok(None) => stalled(attempt, failure),
            Err(error) => stalled(attempt, error.to_string()),
        }
        time::sleep(pause).await;
        pause = (pause * 2).min(BACKOFF.1);
    }
}

/// Puts `payload` at `path` once. `None`: the disk is full, and nothing is there.
///
/// # Errors
/// `Unavailable` when the store fails otherwise, `Corrupt` when what has the key cannot be read.
pub(crate) async fn put_if_space(
    store: &Store,
    path: &Path,
    put_id: Uuid,
    payload: PutPayload,
) -> Result<Option<PutEnd>> {
    match store.put_if_absent(path, payload).await {
        Ok(PutOutcome::Created) => return Ok(Some(PutEnd::Landed)),
        Err(error) if !error.is_storage_full() => return Err(error),
        Ok(PutOutcome::AlreadyExists) | Err(_) => {}
    }
    let found = store.get(path).await?;
    found.map(|found| whose(path, put_id, &found)).transpose()
}

fn whose(path: &Path, put_id: Uuid, found: &Bytes) -> Result<PutEnd> {
    let header = decode_header(path.as_ref(), found)?;
    Ok(if header.put_id == put_id { PutEnd::Landed } else { PutEnd::Fenced })
}
