//! Deletes the log behind what is in files, and closes streams that have ended. Called after each flush.

use super::{Streams, streams::EndedStream};
use crate::{
    delta::{Change, TxnStep},
    error::Result,
    schema::{Sequence, StreamId},
    store::Store,
    tables::Tables,
    wal::{self, Fence},
};

/// Commits that a table may be behind the others before it says that it has none of their rows.
const LAG_MAX: u64 = 64;

impl Streams {
    /// Deletes the WAL behind what is in files; `reserve` is the store that may fill the disk. One stream that fails does not keep the
    /// others from it.
    ///
    /// # Errors
    /// The first failure.
    pub(crate) async fn retire(&self, tables: &Tables, store: &Store, reserve: &Store) -> Result<()> {
        let mut failure = None;
        let ended: Vec<EndedStream> = self.ended.lock().clone();
        for EndedStream { stream, fence } in ended {
            let is_flushed = !tables.holds(stream);
            let retired = match is_flushed {
                true => Box::pin(close(tables, reserve, stream, fence)).await,
                false => self.delete_listed(tables, reserve, stream).await,
            };
            match retired {
                Err(error) => {
                    failure.get_or_insert(error);
                }
                Ok(()) if is_flushed => {
                    self.ended.lock().retain(|ended| ended.stream != stream);
                    self.deleted.lock().remove(&stream);
                }
                Ok(()) => {}
            }
        }
        let caught_up = Box::pin(self.catch_up(tables)).await;
        let freed = self.delete_flushed(tables, store).await;
        let freed = caught_up.and(freed);
        failure.map_or(freed, Err)
    }

    /// Of a stream that has ended and is not all in files, what was flushed goes, once.
    async fn delete_listed(&self, tables: &Tables, store: &Store, stream: StreamId) -> Result<()> {
        if self.deleted.lock().contains_key(&stream) {
            return Ok(());
        }
        let flushed = tables.flushed(stream);
        wal::delete_listed_commits(store, stream, flushed).await?;
        self.deleted.lock().insert(stream, flushed);
        Ok(())
    }

    /// A table that nothing is sent to would keep the log of the others: it commits that it has all of it.
    async fn catch_up(&self, tables: &Tables) -> Result<()> {
        // What is shown is read first: a table that then holds nothing of the stream has all rows up to there in files.
        for (stream, shown) in self.live() {
            let newest =
                tables.iter().map(|table| table.flushed(stream)).max().unwrap_or_default().min(shown);
            commit_up_to(tables, stream, newest, LAG_MAX).await?;
        }
        Ok(())
    }

    /// Deletes the commits that were flushed since the last time.
    async fn delete_flushed(&self, tables: &Tables, store: &Store) -> Result<()> {
        let live: Vec<(StreamId, Sequence)> =
            self.deleted.lock().iter().map(|(stream, through)| (*stream, *through)).collect();
        for (stream, through) in live {
            let flushed = tables.flushed(stream);
            if flushed > through {
                // The last one stays: should the version that names it get lost, the gap before it tells.
                wal::delete_commits(store, stream, through, flushed).await?;
                self.deleted.lock().insert(stream, flushed);
            }
        }
        Ok(())
    }
}

/// Closes a stream whose rows are all in files. Each table says so first: of one that had none of the last commits a start would miss them.
async fn close(tables: &Tables, store: &Store, stream: StreamId, fence: Fence) -> Result<()> {
    commit_up_to(tables, stream, fence.sequence.previous(), 1).await?;
    wal::close_stream(store, stream, fence).await
}

/// Commits for each table that holds nothing of a stream, and is so far behind, that all of it up to `newest` is in files.
async fn commit_up_to(tables: &Tables, stream: StreamId, newest: Sequence, lag_max: u64) -> Result<()> {
    for table in tables.iter() {
        let flushed = table.flushed(stream);
        if newest.0.saturating_sub(flushed.0) < lag_max || table.view.holds(stream) {
            continue;
        }
        let steps = [TxnStep { stream, expected: flushed, to: newest }];
        table.commit(&Change { steps: &steps, ..Change::default() }).await?;
    }
    Ok(())
}
