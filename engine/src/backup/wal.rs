//! `WalCopy`: the write-ahead log's part of a backup. Objects are copied before the tables are, and compared with them afterwards.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;

use super::copier::Copier;
use crate::{
    check::{Streams, WalObject},
    error::Result,
    finding::Finding,
    schema::{Sequence, StreamId},
    store::keys,
    tasks::blocking,
    wal::{self, ObjectKind},
};

/// Objects copied at once.
const COPY_CONCURRENCY: usize = 4;

/// What was copied, by stream.
#[derive(Debug)]
pub(super) struct WalCopy {
    copier: Arc<Copier>,
    streams: Streams,
    findings: Vec<Finding>,
}

impl WalCopy {
    /// Copies every object that is there. One that vanishes meanwhile is in a file of the table.
    ///
    /// # Errors
    /// `Unavailable` when a file system fails.
    pub(super) async fn begin(copier: &Arc<Copier>) -> Result<Self> {
        let listed = {
            let copier = Arc::clone(copier);
            blocking("list the WAL", move || list(&copier)).await?
        };
        let mut copy = Self { copier: Arc::clone(copier), streams: Streams::default(), findings: vec![] };
        copy.copy(listed).await?;
        Ok(copy)
    }

    /// Streams of which a commit beyond the flushed ones was copied.
    pub(super) fn unflushed(&self, flushed: impl Fn(StreamId) -> Sequence) -> Vec<StreamId> {
        self.streams.unflushed(flushed)
    }

    /// Copies whatever is left of streams of which nothing is in the copy: a stream with rows in files leaves its fence, or the last
    /// commit that was flushed, and a start misses either.
    ///
    /// # Errors
    /// `Unavailable` when a file system fails.
    pub(super) async fn add_ends(
        &mut self,
        streams: impl Iterator<Item = (StreamId, Sequence)>,
    ) -> Result<()> {
        let absent: Vec<StreamId> = streams
            .filter(|(stream, flushed)| !self.streams.reaches(*stream, *flushed))
            .map(|(stream, _)| stream)
            .collect();
        if absent.is_empty() {
            return Ok(());
        }
        let copier = Arc::clone(&self.copier);
        let listed = blocking("list the WAL", move || {
            absent.iter().map(|stream| list_folder(&copier, &stream.to_string())).collect::<Result<Vec<_>>>()
        });
        let new = listed.await?.into_iter().flatten();
        let new = new.filter(|(stream, sequence)| !self.streams.contains(*stream, *sequence)).collect();
        self.copy(new).await
    }

    /// Copies what is missing between the flushed commits and the last that was copied: put while the folder was listed, or on its
    /// way then. Returns how many gaps are left.
    ///
    /// # Errors
    /// `Unavailable` when a file system fails.
    pub(super) async fn fill(&mut self, flushed: impl Fn(StreamId) -> Sequence) -> Result<usize> {
        let missing = self.streams.gaps(&flushed).iter().flat_map(|gap| gap.sequences()).collect();
        self.copy(missing).await?;
        Ok(self.streams.gaps(&flushed).len())
    }

    /// Takes what is in files out of the copy. Returns the rows that are left, and what is wrong with the log.
    ///
    /// # Errors
    /// `Unavailable` when a file system fails.
    pub(super) async fn finish(
        mut self,
        flushed: impl Fn(StreamId) -> Sequence,
    ) -> Result<(u64, Vec<Finding>)> {
        self.findings.extend(self.streams.gaps(&flushed).iter().map(|gap| {
            let advice = "the copy lacks it as the original does: run `hexflight check` on the original";
            Finding::new(keys::wal_object(gap.stream, gap.first), gap.problem(), advice)
        }));
        let rows = self.streams.tail_rows(&flushed);
        let (copier, done) = (self.copier, self.streams.flushed(&flushed));
        let trim = move || {
            done.into_iter()
                .try_for_each(|(stream, sequence)| copier.remove(&keys::wal_object(stream, sequence)))
        };
        blocking("trim the WAL", trim).await?;
        Ok((rows, self.findings))
    }

    async fn copy(&mut self, keys: Vec<(StreamId, Sequence)>) -> Result<()> {
        let copier = &self.copier;
        let copies: Vec<_> = keys
            .into_iter()
            .map(|(stream, sequence)| {
                let copier = Arc::clone(copier);
                blocking("copy the WAL", move || {
                    let copied = copy_object(&copier, stream, sequence)?;
                    Ok((stream, sequence, copied))
                })
            })
            .collect();
        let mut copies = stream::iter(copies).buffer_unordered(COPY_CONCURRENCY);
        while let Some((stream, sequence, copied)) = copies.try_next().await? {
            let Some((object, finding)) = copied else { continue };
            self.streams.insert(stream, sequence, object);
            self.findings.extend(finding);
        }
        Ok(())
    }
}

/// Every object that the folder names. Names that are none of ours are passed over.
fn list(copier: &Copier) -> Result<Vec<(StreamId, Sequence)>> {
    let mut listed = vec![];
    for folder in copier.list("wal")? {
        listed.extend(list_folder(copier, &folder)?);
    }
    Ok(listed)
}

fn list_folder(copier: &Copier, folder: &str) -> Result<Vec<(StreamId, Sequence)>> {
    let names = copier.list(&format!("wal/{folder}"))?;
    let keys = names.iter().filter_map(|name| Path::parse(format!("wal/{folder}/{name}")).ok());
    Ok(keys.filter_map(|key| keys::parse_wal_object(&key)).collect())
}

/// Copies one object. A damaged one is copied as it is: what can be had of it is for others to say.
fn copy_object(
    copier: &Copier,
    stream: StreamId,
    sequence: Sequence,
) -> Result<Option<(WalObject, Option<Finding>)>> {
    let key = keys::wal_object(stream, sequence);
    let Some(bytes) = copier.read(&key)? else { return Ok(None) };
    copier.write(&key, &bytes)?;
    let copied = match wal::decode_header(key.as_ref(), &bytes.into()) {
        Ok(header) => (WalObject { kind: header.kind, rows: header.rows() }, None),
        Err(error) => {
            let advice = "it was copied as it is: run `hexflight check` on the original";
            let finding = Finding::new(&key, error.detail(), advice);
            (WalObject { kind: ObjectKind::Commit, rows: 0 }, Some(finding))
        }
    };
    Ok(Some(copied))
}
