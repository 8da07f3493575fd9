//! `Streams`: which streams live, which have ended, and how much of the log of each is deleted.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::{
    schema::{Sequence, StreamId},
    tables::Tables,
    wal::Fence,
};

/// A stream that takes no more commits and whose rows are not all in files yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct EndedStream {
    pub(super) stream: StreamId,
    pub(super) fence: Fence,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(super) ended: Mutex<Vec<EndedStream>>,
    /// Per live stream, the last commit before which every WAL object is deleted.
    pub(super) deleted: Mutex<BTreeMap<StreamId, Sequence>>,
    /// Per live stream of this process, the last commit that all tables show.
    published: Mutex<BTreeMap<StreamId, Sequence>>,
}

impl Streams {
    /// Begins to look after a new stream's WAL.
    pub(crate) fn begin(&self, stream: StreamId) {
        self.deleted.lock().insert(stream, Sequence::NONE);
        self.published.lock().insert(stream, Sequence::NONE);
    }

    /// All tables show a commit.
    pub(super) fn published(&self, stream: StreamId, sequence: Sequence) {
        self.published.lock().insert(stream, sequence);
    }

    /// The streams that live, each with the last commit that all tables show.
    pub(super) fn live(&self) -> Vec<(StreamId, Sequence)> {
        self.published.lock().iter().map(|(stream, sequence)| (*stream, *sequence)).collect()
    }

    /// A stream takes no more commits from `fence` on; once its rows are in files it is closed.
    pub(crate) fn end(&self, tables: &Tables, stream: StreamId, fence: Fence) {
        tables.end_stream(stream);
        self.deleted.lock().remove(&stream);
        self.published.lock().remove(&stream);
        self.ended.lock().push(EndedStream { stream, fence });
    }
}
