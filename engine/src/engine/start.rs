//! The tasks of an engine that writes: they are started here, and told what to do through their inboxes.

use std::sync::Arc;

use futures::FutureExt;
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinHandle},
};
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::{
    compact::{self, CompactMessage},
    error::{EngineError, Result},
    flush::{self, FlushMessage},
    health::Health,
    schema::StreamId,
    tasks,
    upkeep::end_orphans,
    wal::{self, Append, WalWriter, WriterEnd},
};

/// Appends queued for the WAL, on top of the commits in flight; their memory is in the budget already.
const APPEND_QUEUE: usize = 256;
/// Flush requests queued.
const FLUSH_QUEUE: usize = 16;
/// Compaction requests queued.
const COMPACT_QUEUE: usize = 16;

/// Where the tasks take requests from; nothing once an engine is shut down, or if it only reads.
#[derive(Debug, Default)]
pub(super) struct Inboxes {
    pub(super) appends: Option<mpsc::Sender<Append>>,
    pub(super) flushes: Option<mpsc::Sender<FlushMessage>>,
    pub(super) compacts: Option<mpsc::Sender<CompactMessage>>,
}

/// The tasks, for those who wait for their ends.
#[derive(Debug)]
pub(super) struct Tasks {
    pub(super) writer: JoinHandle<WriterEnd>,
    pub(super) flusher: JoinHandle<Result<()>>,
    pub(super) orphans: JoinHandle<()>,
    pub(super) compactor: JoinHandle<()>,
    pub(super) vacuum: JoinHandle<()>,
}

impl Tasks {
    /// Starts all of them; what is not the write path ends with `upkeep`.
    pub(super) fn start(
        shared: &Shared,
        (stream, is_registered): (StreamId, bool),
        upkeep: &CancellationToken,
    ) -> (Inboxes, Self) {
        let (appends, append_inbox) = mpsc::channel(APPEND_QUEUE);
        let (flushes, flush_inbox) = mpsc::channel(FLUSH_QUEUE);
        let (compacts, compact_inbox) = mpsc::channel(COMPACT_QUEUE);
        let writer = WalWriter::new(
            shared.store.clone(),
            shared.publication(),
            &shared.options,
            (stream, is_registered),
            Arc::clone(&shared.stall),
        );
        let flusher = flush::run(Arc::clone(&shared.flusher), flush_inbox).map(Ok);
        let compactor = compact::run(shared.compact_parts(), compact_inbox, upkeep.clone());
        let (store, tables) = (shared.store.clone(), Arc::clone(&shared.tables));
        let tasks = Self {
            writer: tasks::spawn(watched(Arc::clone(&shared.health), "wal writer", writer.run(append_inbox))),
            flusher: tasks::spawn(watched(Arc::clone(&shared.health), "flusher", flusher)),
            orphans: tasks::spawn(async move { end_orphans(&store, &tables).await }),
            compactor: tasks::spawn(compactor),
            vacuum: tasks::spawn(Arc::clone(&shared.vacuum).run(upkeep.clone())),
        };
        let inboxes = Inboxes { appends: Some(appends), flushes: Some(flushes), compacts: Some(compacts) };
        (inboxes, tasks)
    }
}

/// Begins the stream of this process, and says whether it is registered: on a full disk that waits until there is space.
///
/// # Errors
/// `Unavailable` when the store fails.
pub(super) async fn begin_stream(shared: &Shared) -> Result<(StreamId, bool)> {
    let stream = StreamId::new(shared.store.ids());
    let is_registered = match wal::registry::register(&shared.store.with_reserve(), stream).await {
        Err(error) if error.is_storage_full() => {
            tracing::error!(%error, "the disk is full: events are refused until there is space again");
            shared.stall.raise(error.to_string());
            false
        }
        registered => registered.map(|()| true)?,
    };
    shared.streams.begin(stream);
    Ok((stream, is_registered))
}

/// A task of the write path ends with an error, or in a panic, only when going on could lose rows: the process is then no
/// longer healthy.
async fn watched<T: Send + 'static>(
    health: Arc<Health>,
    task: &'static str,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let panicked = |error: JoinError| Err(EngineError::Task { task, detail: error.to_string() });
    let end = tasks::spawn(work).await.unwrap_or_else(panicked);
    if let Err(error) = &end {
        tracing::error!(%error, "the {task} stopped");
        health.note_task_failure(task, error);
    }
    end
}
