//! `Streams`: which objects the write-ahead log holds, and how they tile the commits of each stream. Pure.

use std::collections::BTreeMap;

use crate::{
    schema::{Sequence, StreamId},
    wal::ObjectKind,
};

/// Sequences that are looked for between two objects. More cannot lie between two that a server has put: a name is damaged.
const HOLE_MAX: u64 = 100_000;

/// An object of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WalObject {
    pub(crate) kind: ObjectKind,
    pub(crate) rows: u64,
}

/// Commits of a stream that are in no file and not in the log, while later ones are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) stream: StreamId,
    pub(crate) first: Sequence,
    pub(crate) last: Sequence,
    /// Commits behind it, and their rows.
    pub(crate) behind: usize,
    pub(crate) rows_behind: u64,
}

/// What the log holds, by stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams(BTreeMap<StreamId, BTreeMap<Sequence, WalObject>>);

impl Streams {
    pub(crate) fn insert(&mut self, stream: StreamId, sequence: Sequence, object: WalObject) {
        self.0.entry(stream).or_default().insert(sequence, object);
    }

    pub(crate) fn contains(&self, stream: StreamId, sequence: Sequence) -> bool {
        self.0.get(&stream).is_some_and(|objects| objects.contains_key(&sequence))
    }

    /// Objects of all streams.
    pub(crate) fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// Whether there is anything of a stream.
    pub(crate) fn holds(&self, stream: StreamId) -> bool {
        self.0.contains_key(&stream)
    }

    /// Whether there is an object of a stream at `sequence` or behind.
    pub(crate) fn reaches(&self, stream: StreamId, sequence: Sequence) -> bool {
        self.0.get(&stream).is_some_and(|objects| objects.range(sequence..).next().is_some())
    }

    /// The last of the contiguous commits of a stream: what a start finds.
    pub(crate) fn end(&self, stream: StreamId, flushed: Sequence) -> Sequence {
        let mut end = flushed;
        let tail = self.0.get(&stream).map(|objects| objects.range(flushed.next()..));
        for (sequence, object) in tail.into_iter().flatten() {
            if *sequence != end.next() || object.kind == ObjectKind::Fence {
                break;
            }
            end = *sequence;
        }
        end
    }

    /// Streams with a commit beyond the flushed ones.
    pub(crate) fn unflushed(&self, flushed: impl Fn(StreamId) -> Sequence) -> Vec<StreamId> {
        let is_unflushed = |stream: StreamId, objects: &BTreeMap<Sequence, WalObject>| {
            let mut tail = objects.range(flushed(stream).next()..);
            tail.any(|(_, object)| object.kind == ObjectKind::Commit)
        };
        let streams = self.0.iter().filter(|(stream, objects)| is_unflushed(**stream, objects));
        streams.map(|(stream, _)| *stream).collect()
    }

    /// Objects whose rows are in files, but for the last flushed commit of each stream: a live stream keeps it.
    pub(crate) fn flushed(&self, flushed: impl Fn(StreamId) -> Sequence) -> Vec<(StreamId, Sequence)> {
        let of = |(stream, objects): (&StreamId, &BTreeMap<Sequence, WalObject>)| {
            let stream = *stream;
            let done: Vec<Sequence> =
                objects.range(..flushed(stream)).map(|(sequence, _)| *sequence).collect();
            done.into_iter().map(move |sequence| (stream, sequence))
        };
        self.0.iter().flat_map(of).collect()
    }

    /// Rows of the contiguous commits beyond the flushed ones: what a start finds.
    pub(crate) fn tail_rows(&self, flushed: impl Fn(StreamId) -> Sequence) -> u64 {
        let mut rows = 0;
        for (stream, objects) in &self.0 {
            let mut next = flushed(*stream).next();
            for (sequence, object) in objects.range(next..) {
                if *sequence != next || object.kind == ObjectKind::Fence {
                    break;
                }
                rows += object.rows;
                next = sequence.next();
            }
        }
        rows
    }

    /// The gaps before the end of each stream. What lies behind a fence never counts, and is none.
    pub(crate) fn gaps(&self, flushed: impl Fn(StreamId) -> Sequence) -> Vec<Gap> {
        let mut gaps = vec![];
        for (stream, objects) in &self.0 {
            let mut next = flushed(*stream).next();
            for (sequence, object) in objects.range(next..) {
                if *sequence > next {
                    let behind =
                        objects.range(*sequence..).filter(|(_, object)| object.kind == ObjectKind::Commit);
                    let (behind, rows_behind) =
                        behind.fold((0, 0), |(count, rows), (_, object)| (count + 1, rows + object.rows));
                    let last = Sequence(sequence.0 - 1);
                    gaps.push(Gap { stream: *stream, first: next, last, behind, rows_behind });
                }
                if object.kind == ObjectKind::Fence {
                    break;
                }
                // Nothing is behind the last number there is, which only a damaged name says.
                let Some(following) = sequence.0.checked_add(1) else { break };
                next = Sequence(following);
            }
        }
        gaps
    }
}

impl Gap {
    /// Its sequences, as far as it is sensible to look for them.
    pub(crate) fn sequences(&self) -> impl Iterator<Item = (StreamId, Sequence)> + use<> {
        let (stream, first) = (self.stream, self.first.0);
        let last = self.last.0.min(first.saturating_add(HOLE_MAX));
        (first..=last).map(move |sequence| (stream, Sequence(sequence)))
    }

    /// What is missing, as text.
    pub(crate) fn problem(&self) -> String {
        let Self { first, last, behind, rows_behind, .. } = self;
        let missing = if first == last {
            format!("commit {first} is missing")
        } else {
            format!("commits {first} to {last} are missing")
        };
        format!("{missing}, while {behind} later ones of the stream with {rows_behind} rows are there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streams(stream: StreamId, commits: &[u64], fence: Option<u64>) -> Streams {
        let mut streams = Streams::default();
        for sequence in commits {
            streams.insert(stream, Sequence(*sequence), WalObject { kind: ObjectKind::Commit, rows: 10 });
        }
        if let Some(fence) = fence {
            streams.insert(stream, Sequence(fence), WalObject { kind: ObjectKind::Fence, rows: 0 });
        }
        streams
    }

    #[test]
    fn a_log_that_begins_behind_its_txn_has_no_gap() {
        let stream = StreamId::generate();
        let whole = streams(stream, &[2, 3, 4], Some(5));
        assert_eq!(whole.gaps(|_| Sequence(2)), []);
        assert_eq!(whole.tail_rows(|_| Sequence(2)), 20);
        assert_eq!(whole.unflushed(|_| Sequence(2)), [stream]);
        assert_eq!(whole.flushed(|_| Sequence(3)), [(stream, Sequence(2))]);
        assert!(
            whole.holds(stream) && whole.reaches(stream, Sequence(5)) && !whole.reaches(stream, Sequence(6))
        );
        assert_eq!(whole.unflushed(|_| Sequence(4)), []);
    }

    #[test]
    fn a_gap_says_what_is_missing_and_what_lies_behind() {
        let stream = StreamId::generate();
        let torn = streams(stream, &[1, 4, 5], Some(6));
        let (first, last) = (Sequence(2), Sequence(3));
        let gap = Gap { stream, first, last, behind: 2, rows_behind: 20 };
        assert_eq!(torn.gaps(|_| Sequence::NONE), [gap]);
        assert_eq!(torn.tail_rows(|_| Sequence::NONE), 10);
        assert_eq!(torn.end(stream, Sequence::NONE), Sequence(1));
        assert_eq!(torn.end(stream, Sequence(3)), Sequence(5));
        // The txn says that they are in files.
        assert_eq!(torn.gaps(|_| Sequence(3)), []);
        // A fence alone at a distance: the commits before it are gone.
        assert_eq!(streams(stream, &[], Some(3)).gaps(|_| Sequence(1)).len(), 1);
    }

    #[test]
    fn what_lies_behind_a_fence_never_counts() {
        let stream = StreamId::generate();
        let fenced = streams(stream, &[1, 7], Some(2));
        assert_eq!(fenced.gaps(|_| Sequence::NONE), []);
        assert_eq!(fenced.tail_rows(|_| Sequence::NONE), 10);
    }

    #[test]
    fn a_name_that_is_damaged_makes_no_endless_search() {
        let stream = StreamId::generate();
        let gaps = streams(stream, &[1, u64::MAX], None).gaps(|_| Sequence::NONE);
        assert_eq!(gaps[0].sequences().count() as u64, HOLE_MAX + 1);
    }
}
