//! What taking over a dead stream comes to: where it ends, and what of it lies behind its end. Reads, and changes nothing.
//!
//! Acks follow the contiguous prefix, so a commit behind a gap was never acknowledged, if the gap was there from the beginning: a few
//! puts were under way when the process died. If the gap came later, acknowledged rows are gone. A commit says up to where all had
//! landed when it was cut, and a fence is put at the first free sequence: either, behind a gap, proves that something was lost, and
//! the start is refused. Without such a proof the start goes on with the prefix, and what lies behind is set aside.

use std::collections::BTreeMap;

use object_store::path::Path;

use super::{
    object::{Header, ObjectKind, decode_header},
    survey::{StreamObjects, objects_of},
};
use crate::{
    error::{EngineError, Result},
    finding::Finding,
    schema::{Sequence, StreamId},
    store::{Store, keys},
};

/// Commits that earlier builds had under way at once, at most.
const EARLIER_PUTS_MAX: u64 = 4;

/// A dead stream, looked at.
#[derive(Debug)]
pub(crate) struct Takeover {
    pub(crate) stream: StreamId,
    /// The last sequence whose rows are in files.
    pub(crate) flushed: Sequence,
    /// The first sequence that holds no commit of the prefix: its fence, or where one belongs.
    pub(crate) end: Sequence,
    pub(crate) is_fenced: bool,
    /// Objects behind the end.
    pub(crate) behind: Vec<Path>,
    /// What is to be said about them.
    pub(crate) finding: Option<Finding>,
}

impl Takeover {
    /// Looks at a stream.
    ///
    /// # Errors
    /// `Corrupt` when an object of the prefix is not what was written, or acknowledged commits are missing; `Unavailable` when the
    /// store fails.
    pub(crate) async fn of(store: &Store, stream: StreamId, flushed: Sequence) -> Result<Self> {
        // What the dead process had linked but not fsynced is readable now and must not vanish later.
        store.sync_listing(&keys::wal_folder(stream)).await?;
        let objects = objects_of(store, stream).await?;
        let mut end = flushed.next();
        let mut is_fenced = false;
        while objects.contains_key(&end) {
            let header = read_header(store, stream, end).await?;
            if header.kind == ObjectKind::Fence {
                is_fenced = true;
                break;
            }
            end = end.next();
        }
        let from = if is_fenced { end.next() } else { end };
        let behind: Vec<Sequence> = objects.range(from..).map(|(sequence, _)| *sequence).collect();
        let finding = match behind.as_slice() {
            [] => None,
            [..] if is_fenced => Some(Finding {
                object: keys::wal_folder(stream).to_string(),
                detail: format!("{} behind the fence {end} never counted", listing(&behind)),
            }),
            [..] => Some(gap(store, stream, end, &objects, &behind).await?),
        };
        let behind = behind.into_iter().map(|sequence| keys::wal_object(stream, sequence)).collect();
        Ok(Self { stream, flushed, end, is_fenced, behind, finding })
    }
}

/// Tells a gap that was there from the beginning from one that came later.
async fn gap(
    store: &Store,
    stream: StreamId,
    missing: Sequence,
    objects: &StreamObjects,
    behind: &[Sequence],
) -> Result<Finding> {
    let path = keys::wal_object(stream, missing);
    let mut headers = BTreeMap::new();
    for sequence in behind {
        // One that cannot be read proves nothing, and is set aside as it is.
        if let Ok(header) = read_header(store, stream, *sequence).await {
            headers.insert(*sequence, header);
        }
    }
    if let Some(proof) = headers.iter().find_map(|(at, header)| proof(missing, *at, header, objects)) {
        return Err(EngineError::Corrupt {
            path: path.to_string(),
            detail: format!(
                "missing, and {proof}: acknowledged rows are gone, or the newest versions of the Delta log are; restore them from \
                 a backup, or move {} of {} elsewhere to go on without them; nothing was changed or deleted",
                listing(behind),
                keys::wal_folder(stream)
            ),
        });
    }
    Ok(Finding {
        object: path.to_string(),
        detail: format!(
            "missing, and nothing tells whether it was ever acknowledged; {} behind it and their rows do not count",
            listing(behind)
        ),
    })
}

/// What an object behind a gap says about it.
fn proof(missing: Sequence, at: Sequence, header: &Header, objects: &StreamObjects) -> Option<String> {
    if header.kind == ObjectKind::Fence {
        return Some(format!("fence {at} was put behind it when it was there"));
    }
    if let Some(landed) = header.landed {
        return (landed >= missing).then(|| format!("commit {at} says that all up to {landed} were there"));
    }
    // Earlier builds say nothing, but when this one was cut a few others were under way.
    let held = objects.range(missing..at).count() as u64;
    let count = at.0 - missing.0 - held;
    (count >= EARLIER_PUTS_MAX).then(|| {
        format!(
            "before commit {at} {count} are missing, of which {} can have been under way",
            EARLIER_PUTS_MAX - 1
        )
    })
}

async fn read_header(store: &Store, stream: StreamId, sequence: Sequence) -> Result<Header> {
    let path = keys::wal_object(stream, sequence);
    let corrupt = |detail: String| EngineError::Corrupt { path: path.to_string(), detail };
    let found = store.get(&path).await?;
    let bytes =
        found.ok_or_else(|| corrupt(String::from("listed, and gone when it was read; start again")))?;
    let advice = "restore this object from a backup; nothing was changed or deleted";
    let header = decode_header(path.as_ref(), &bytes).map_err(|error| match error {
        EngineError::Corrupt { detail, .. } => corrupt(format!("{detail}; {advice}")),
        error => error,
    })?;
    if header.stream != stream || header.sequence != sequence {
        let (found, of) = (header.sequence, header.stream);
        return Err(corrupt(format!("holds object {found} of stream {of}; {advice}")));
    }
    Ok(header)
}

/// `object 7`, or `objects 7 to 9`.
fn listing(sequences: &[Sequence]) -> String {
    match sequences {
        [only] => format!("object {only}"),
        [first, .., last] => format!("objects {first} to {last}"),
        [] => String::from("no objects"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_saw_the_missing_one_land_proves_its_loss() {
        assert!(loss(2, &[3], 3, landed(2)).is_some());
        assert!(loss(2, &[3], 3, landed(1)).is_none());
        assert!(loss(2, &[4, 5, 6, 7, 8, 9], 9, landed(1)).is_none(), "put 2 may have hung for long");
        assert!(loss(2, &[9], 9, landed(8)).is_some());
    }

    #[test]
    fn a_fence_behind_a_gap_proves_a_loss() {
        let fence = Header::fence(&crate::SystemIds, StreamId::generate(), Sequence(3));
        assert!(loss(2, &[3], 3, fence).is_some());
    }

    #[test]
    fn of_an_earlier_build_more_missing_than_were_under_way_prove_a_loss() {
        let silent = || Header { landed: None, ..landed(0) };
        assert!(loss(2, &[5], 5, silent()).is_none(), "2, 3 and 4 were under way with 5");
        assert!(loss(2, &[6], 6, silent()).is_some());
        assert!(loss(2, &[4, 6], 6, silent()).is_none());
    }

    /// What the object at `at` says of `missing`, the first that is missing, with `behind` there.
    fn loss(missing: u64, behind: &[u64], at: u64, header: Header) -> Option<String> {
        let objects = behind.iter().map(|sequence| (Sequence(*sequence), 1_000)).collect();
        proof(Sequence(missing), Sequence(at), &header, &objects)
    }

    fn landed(sequence: u64) -> Header {
        let fence = Header::fence(&crate::SystemIds, StreamId::generate(), Sequence(9));
        Header { kind: ObjectKind::Commit, landed: Some(Sequence(sequence)), ..fence }
    }
}
