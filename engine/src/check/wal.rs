//! Looks at the write-ahead log and the registry: every object's checksum, and whether the commits beyond the txns are all there
//! and can be found by a start.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;

use super::{Streams, WalObject, streams::Gap};
use crate::{
    delta::{DeltaLog, TableState},
    error::Result,
    finding::Finding,
    schema::{Sequence, StreamId},
    store::{LOCK_FILE, Store, keys},
    tasks::blocking,
    time,
    wal::{self, ObjectKind, Takeover, landed, registry},
};

/// Objects read at once.
const READ_CONCURRENCY: usize = 4;
/// Times that what seems wrong is looked at again beside a server that goes on, and the pause between two.
const LOOKS_MAX: usize = 100;
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// Times that a note is read that cannot be one.
const NOTE_LOOKS: usize = 3;
/// Looks without any change after which nobody is at work: a put takes milliseconds.
const QUIET_LOOKS: usize = 10;

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct WalSeen {
    pub(super) streams: Streams,
    /// Registered streams, and whether each keeps its last flushed commit.
    pub(super) registered: BTreeMap<StreamId, bool>,
    /// The stream and the commit up to which all were there, as the lock file notes.
    noted: Option<(StreamId, Sequence)>,
    /// Objects that fail a check, and entries of the registry.
    damaged: BTreeMap<Path, String>,
}

impl WalSeen {
    /// Reads the log first and the registry after it: a stream is registered before its first commit.
    ///
    /// # Errors
    /// `Unavailable` when a folder cannot be listed.
    pub(super) async fn read(store: &Store) -> Result<Self> {
        let mut seen = Self::default();
        // Before the log: a note is never ahead of it.
        seen.read_note(store).await;
        seen.read_new(store).await?;
        seen.read_registry(store).await?;
        Ok(seen)
    }

    /// Compares with the table. What a running server is about to put is looked for again, against newer versions of the log. Without
    /// a whole log nobody knows what is in files, and only the objects themselves are looked at.
    ///
    /// # Errors
    /// `Unavailable` when a folder cannot be listed.
    pub(super) async fn compare(
        &mut self,
        log: &DeltaLog,
        state: &mut TableState,
        log_is_whole: bool,
    ) -> Result<Vec<Finding>> {
        let mut quiet = 0;
        for _ in 0..LOOKS_MAX {
            if !log_is_whole || quiet == QUIET_LOOKS || self.differences(state).next().is_none() {
                break;
            }
            time::sleep(LOOK_PAUSE).await;
            let before = (self.streams.len(), self.registered.len(), state.version());
            // A log that became unreadable meanwhile is for the next check to say.
            if let Ok(newer) = log.refresh(state).await {
                *state = newer;
            }
            self.read_new(&log.store).await?;
            self.read_registry(&log.store).await?;
            let after = (self.streams.len(), self.registered.len(), state.version());
            quiet = if before == after { quiet + 1 } else { 0 };
        }
        let damaged = self.damaged.iter();
        let mut findings: Vec<Finding> =
            damaged.map(|(path, detail)| Finding::new(path, detail, advice(path, state))).collect();
        if log_is_whole {
            for difference in self.differences(state) {
                findings.push(difference.finding(&log.store, state).await);
            }
        }
        Ok(findings)
    }

    /// Rows that are in no file, and that a start finds.
    pub(super) fn rows(&self, state: &TableState) -> u64 {
        self.streams.tail_rows(|stream| state.flushed(stream))
    }

    /// What does not fit the table.
    fn differences<'a>(&'a self, state: &'a TableState) -> impl Iterator<Item = Difference> + 'a {
        let flushed = |stream| state.flushed(stream);
        let gaps = self.streams.gaps(flushed).into_iter().map(Difference::Gap);
        let unregistered = self.streams.unflushed(flushed).into_iter().filter(|stream| {
            !self.registered.contains_key(stream) && !self.damaged.contains_key(&keys::stream_entry(*stream))
        });
        let may_be_empty = |stream| self.registered.get(&stream).is_some_and(|keeps_flushed| !keeps_flushed);
        let vanished =
            state.streams().filter(move |(stream, _)| !self.streams.holds(*stream) && !may_be_empty(*stream));
        let vanished = vanished.map(|(stream, flushed)| {
            let is_live = self.registered.contains_key(&stream);
            Difference::Vanished { stream, flushed, last: if is_live { flushed } else { flushed.next() } }
        });
        let lost = self
            .noted
            .filter(|(stream, _)| !self.streams.gaps(flushed).iter().any(|gap| gap.stream == *stream));
        let lost = lost.map(|(stream, landed)| (stream, self.streams.end(stream, flushed(stream)), landed));
        let lost = lost.filter(|(_, end, landed)| landed > end);
        let lost = lost.map(|(stream, end, landed)| Difference::Lost { stream, end, landed });
        gaps.chain(lost).chain(unregistered.map(Difference::Unregistered)).chain(vanished)
    }

    /// Reads the note of the lock file. It is written in place, so what is no note is read again; an empty file is none.
    async fn read_note(&mut self, store: &Store) {
        let path = Path::from(LOCK_FILE);
        for _ in 0..NOTE_LOOKS {
            let note = store.get(&path).await.ok().flatten().unwrap_or_default();
            self.noted = landed::decode(&note);
            if self.noted.is_some() || note.is_empty() {
                return;
            }
            time::sleep(LOOK_PAUSE).await;
        }
        self.damaged.insert(path, String::from("it holds something that is not a note of the newest commit"));
    }

    /// Reads the objects that were not seen before. One that vanishes meanwhile is in a file.
    async fn read_new(&mut self, store: &Store) -> Result<()> {
        let listed = store.list(&Path::from("wal")).await?;
        let keys = listed.iter().filter_map(|meta| keys::parse_wal_object(&meta.location));
        let new: Vec<_> =
            keys.filter(|(stream, sequence)| !self.streams.contains(*stream, *sequence)).collect();
        let reads: Vec<_> =
            new.into_iter().map(|(stream, sequence)| read(store.clone(), stream, sequence)).collect();
        let mut reads = stream::iter(reads).buffer_unordered(READ_CONCURRENCY);
        while let Some(read) = reads.try_next().await? {
            let Some((stream, sequence, object)) = read else { continue };
            let object = object.unwrap_or_else(|detail| {
                self.damaged.insert(keys::wal_object(stream, sequence), detail);
                WalObject { kind: ObjectKind::Commit, rows: 0 }
            });
            self.streams.insert(stream, sequence, object);
        }
        Ok(())
    }

    async fn read_registry(&mut self, store: &Store) -> Result<()> {
        for meta in store.list(&Path::from("streams")).await? {
            let Some(stream) = keys::parse_stream_entry(&meta.location) else { continue };
            if self.registered.contains_key(&stream) {
                continue;
            }
            match store.get(&meta.location).await {
                Ok(None) => {}
                Ok(Some(bytes)) => match registry::read(&meta.location, stream, &bytes) {
                    Ok(Ok(entry)) => drop(self.registered.insert(stream, entry.keeps_flushed)),
                    Ok(Err(fault)) => drop(self.damaged.insert(meta.location, fault)),
                    Err(error) => drop(self.damaged.insert(meta.location, error.detail())),
                },
                Err(error) => drop(self.damaged.insert(meta.location, error.to_string())),
            }
        }
        Ok(())
    }
}

/// Something in which the log does not fit the table.
#[derive(Debug, Clone, Copy)]
enum Difference {
    /// Commits are missing.
    Gap(Gap),
    /// The newest commits are missing.
    Lost { stream: StreamId, end: Sequence, landed: Sequence },
    /// A stream has commits that are in no file, and no entry.
    Unregistered(StreamId),
    /// A stream with rows in files leaves its fence, or the last commit that was flushed; of this one nothing is left.
    Vanished { stream: StreamId, flushed: Sequence, last: Sequence },
}

impl Difference {
    async fn finding(self, store: &Store, state: &TableState) -> Finding {
        match self {
            Self::Gap(gap) => {
                let last = gap.first.0.saturating_sub(1);
                let start = match Takeover::of(store, gap.stream, state.flushed(gap.stream)).await {
                    Err(error) => format!("a start is refused: {}", error.detail()),
                    Ok(Takeover { finding: Some(finding), .. }) => {
                        format!("a start goes on: {}", finding.detail)
                    }
                    Ok(_) => String::from("look again: it is there now"),
                };
                let advice = format!("rows up to commit {last} can be had; {start}");
                Finding::new(keys::wal_object(gap.stream, gap.first), gap.problem(), advice)
            }
            Self::Lost { stream, end, landed } => Finding::new(
                keys::wal_object(stream, end.next()),
                format!("missing, while LOCK notes that all up to commit {landed} were there"),
                format!("rows up to commit {end} can be had; restore the others from a backup"),
            ),
            Self::Unregistered(stream) => Finding::new(
                keys::stream_entry(stream),
                "missing, while the stream has commits that are in no file",
                "a start takes the stream over by its name: keep its folder below wal",
            ),
            Self::Vanished { stream, flushed, last } => Finding::new(
                keys::wal_object(stream, last),
                format!("missing with all else of the stream, of which commits up to {flushed} are in files"),
                "if it had more, their rows are gone: restore the folder from a backup",
            ),
        }
    }
}

/// What an object holds, or what is wrong with it; `None` when it is not there any more.
async fn read(
    store: Store,
    stream: StreamId,
    sequence: Sequence,
) -> Result<Option<(StreamId, Sequence, std::result::Result<WalObject, String>)>> {
    let key = keys::wal_object(stream, sequence);
    let bytes = match store.get(&key).await {
        Ok(None) => return Ok(None),
        Ok(Some(bytes)) => bytes,
        Err(error) => return Ok(Some((stream, sequence, Err(error.to_string())))),
    };
    let object = blocking("decode the WAL", move || {
        let decoded = wal::decode(key.as_ref(), &bytes).map_err(|error| error.detail());
        Ok(decoded.and_then(|object| {
            let header = object.header;
            if (header.stream, header.sequence) != (stream, sequence) {
                return Err(format!("it is commit {} of stream {}", header.sequence, header.stream));
            }
            Ok(WalObject { kind: header.kind, rows: header.rows() })
        }))
    });
    Ok(Some((stream, sequence, object.await?)))
}

fn advice(path: &Path, state: &TableState) -> &'static str {
    match keys::parse_wal_object(path) {
        Some((stream, sequence)) if sequence <= state.flushed(stream) => {
            "its rows are in files, and nobody reads it; it is deleted with the next flush or start"
        }
        Some(_) => {
            "its rows and those of later commits of its stream are not read; restore it from a backup, or keep it for \
             whoever can mend it"
        }
        None if path.as_ref() == LOCK_FILE => {
            "nothing is lost; the next start takes the file as it is, and the next commit is noted"
        }
        None => "a start takes the stream over by its name: keep its folder below wal",
    }
}
