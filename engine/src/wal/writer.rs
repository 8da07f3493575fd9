//! Group commit: one task turns queued batches into WAL objects, at most `wal_puts_max` in flight, and makes them visible and
//! acknowledged strictly in order of their sequences.
//!
//! ```text
//! queue ─▶ cut (as soon as a slot is free) ─▶ PUT n, n+1, … ─▶ landed ─▶ contiguous prefix ─▶ publish ─▶ ack
//! ```

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use arrow::array::RecordBatch;
use metrics::{counter, histogram};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    task::JoinSet,
};

use super::{
    Ack, landed, object,
    put::{PutEnd, put_until_known},
    registry,
};
use crate::{
    error::{EngineError, Result},
    memory::MemoryBatch,
    options::EngineOptions,
    schema::{Sequence, StreamId, TableName},
    store::{Store, keys},
    time,
};

/// Failed attempts after which those who wait are told, while the PUT goes on being tried.
const STALLED_ATTEMPTS: u32 = 6;
/// Pause between attempts to register a stream.
const REGISTER_PAUSE: Duration = Duration::from_secs(1);

/// A normalised batch on its way into the WAL.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) table: TableName,
    /// Rows in the WAL schema; shares buffers with `memory`.
    pub(crate) rows: RecordBatch,
    /// The same rows as queries will see them.
    pub(crate) memory: Arc<MemoryBatch>,
    /// Who waits for the ack; `None` once it was told.
    pub(crate) waiter: Option<oneshot::Sender<Result<Ack>>>,
}

impl Append {
    /// Tells the waiter, once; one that has gone away is no concern of ours: the batch goes its way all the same.
    fn tell(&mut self, end: Result<Ack>) {
        if let Some(waiter) = self.waiter.take() {
            let _ = waiter.send(end);
        }
    }
}

/// Takes the durable batches of one group commit; called in order of sequences, before their acks.
pub(crate) trait Publisher: Send + Sync + std::fmt::Debug {
    /// Makes the batches visible, all at once per table.
    ///
    /// # Errors
    /// `Internal` when they cannot be; the commit is durable all the same.
    fn publish(
        &self,
        stream: StreamId,
        sequence: Sequence,
        batches: Vec<(TableName, Arc<MemoryBatch>)>,
    ) -> Result<()>;

    /// The stream ends before `next`: nothing more will be published for it.
    fn stream_ended(&self, stream: StreamId, next: Sequence);

    /// The next stream begins.
    fn stream_begun(&self, stream: StreamId);

    /// The store refuses the log's objects.
    fn stalled(&self);
}

/// Whether the store refuses WAL objects at the moment, and why.
#[derive(Debug, Default)]
pub(crate) struct Stall {
    failure: Mutex<Option<String>>,
    raised: Notify,
}

impl Stall {
    /// The newest failure while the WAL cannot be written.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    /// Says that the log cannot be written before anybody has tried.
    pub(crate) fn raise(&self, failure: String) {
        *self.failure.lock() = Some(failure);
    }

    fn note(&self, attempt: u32, failure: String) {
        counter!("hexflight_wal_put_failures_total").increment(1);
        if attempt < STALLED_ATTEMPTS {
            return;
        }
        let mut newest = self.failure.lock();
        if newest.is_none() {
            tracing::error!(
                failure,
                "the WAL cannot be written: appends are refused, the commit is tried on"
            );
        }
        *newest = Some(failure);
        self.raised.notify_one();
    }

    fn clear(&self) {
        if self.failure.lock().take().is_some() {
            tracing::info!("the WAL can be written again");
        }
    }
}

/// The group-commit task's state.
pub(crate) struct WalWriter {
    store: Store,
    publisher: Arc<dyn Publisher>,
    puts_max: usize,
    commit_bytes_max: usize,
    stall: Arc<Stall>,
    stream: StreamId,
    /// Whether the stream is in the registry; nothing is put before it is.
    is_registered: bool,
    /// The next sequence to cut.
    next: Sequence,
    /// The next sequence to publish.
    publish_next: Sequence,
    queue: VecDeque<Append>,
    in_flight: BTreeMap<Sequence, Vec<Append>>,
    landed: BTreeMap<Sequence, Vec<Append>>,
    puts: JoinSet<(StreamId, Sequence, Result<PutEnd>)>,
}

/// How the task ended: the stream it held last, and its first free sequence.
pub(crate) type WriterEnd = Result<(StreamId, Sequence)>;

impl WalWriter {
    pub(crate) fn new(
        store: Store,
        publisher: Arc<dyn Publisher>,
        options: &EngineOptions,
        (stream, is_registered): (StreamId, bool),
        stall: Arc<Stall>,
    ) -> Self {
        Self {
            store,
            publisher,
            puts_max: options.wal_puts_max,
            commit_bytes_max: options.wal_commit_bytes_max,
            stall,
            stream,
            is_registered,
            next: Sequence(1),
            publish_next: Sequence(1),
            queue: VecDeque::new(),
            in_flight: BTreeMap::new(),
            landed: BTreeMap::new(),
            puts: JoinSet::new(),
        }
    }

    /// Runs until every sender of `inbox` is gone and everything taken from it is durable or refused.
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Append>) -> WriterEnd {
        let stall = Arc::clone(&self.stall);
        let mut is_open = true;
        loop {
            if self.is_registered {
                self.cut_commits()?;
            }
            if !is_open && self.queue.is_empty() && self.puts.is_empty() {
                return Ok((self.stream, self.next));
            }
            if let Some(failure) = self.stall.failure().filter(|_| !is_open) {
                // Nobody would wait for a store that may stay full for days; whoever waited has been told or is told now.
                self.refuse_waiting();
                return Err(EngineError::WalStalled { failure });
            }
            // The queue is bounded by taking from the inbox only while a further commit has room.
            let takes = is_open && self.queued_bytes() < self.commit_bytes_max;
            tokio::select! {
                biased;
                Some(end) = self.puts.join_next() => self.put_ended(end).await?,
                () = stall.raised.notified() => {
                    self.publisher.stalled();
                    self.refuse_waiting();
                }
                () = time::sleep(REGISTER_PAUSE), if !self.is_registered => self.register().await,
                append = inbox.recv(), if takes => match append {
                    Some(append) => self.enqueue(append, &mut inbox),
                    None => is_open = false,
                },
            }
        }
    }

    /// Registers a stream for which there was no space at the start.
    async fn register(&mut self) {
        match registry::register(&self.store, self.stream).await {
            Ok(()) => {
                self.is_registered = true;
                self.stall.clear();
            }
            Err(error) => {
                self.stall.raise(error.to_string());
                self.publisher.stalled();
                self.refuse_waiting();
            }
        }
    }

    fn queued_bytes(&self) -> usize {
        self.queue.iter().map(|append| append.memory.bytes()).sum()
    }

    /// Takes what is waiting along with the first, up to a commit's worth.
    fn enqueue(&mut self, append: Append, inbox: &mut mpsc::Receiver<Append>) {
        let mut bytes = append.memory.bytes();
        self.queue.push_back(append);
        while bytes < self.commit_bytes_max
            && let Ok(append) = inbox.try_recv()
        {
            bytes += append.memory.bytes();
            self.queue.push_back(append);
        }
    }

    /// Cuts commits from the queue while slots are free; a batch is never split.
    fn cut_commits(&mut self) -> Result<()> {
        while self.puts.len() < self.puts_max && !self.queue.is_empty() {
            let mut batches = vec![];
            let mut bytes = 0;
            while let Some(append) = self.queue.pop_front() {
                bytes += append.memory.bytes();
                batches.push(append);
                if self.queue.front().is_some_and(|next| bytes + next.memory.bytes() > self.commit_bytes_max)
                {
                    break;
                }
            }
            self.start_put(batches)?;
        }
        Ok(())
    }

    fn start_put(&mut self, batches: Vec<Append>) -> Result<()> {
        let (stream, sequence) = (self.stream, self.next);
        self.next = sequence.next();
        let landed = self.publish_next.previous();
        let mut tables: Vec<(TableName, Vec<RecordBatch>)> = vec![];
        for append in &batches {
            match tables.iter_mut().find(|(table, _)| *table == append.table) {
                Some((_, rows)) => rows.push(append.rows.clone()),
                None => tables.push((append.table.clone(), vec![append.rows.clone()])),
            }
        }
        self.in_flight.insert(sequence, batches);
        let (store, stall) = (self.store.clone(), Arc::clone(&self.stall));
        self.puts.spawn(async move {
            let started = time::now();
            // Encoding shares the batches' buffers; the checksum reads them once.
            let encoded = object::encode(store.ids(), stream, sequence, landed, &tables);
            let end = match encoded {
                Ok((put_id, payload)) => {
                    counter!("hexflight_wal_bytes_total").increment(payload.content_length() as u64);
                    let path = keys::wal_object(stream, sequence);
                    let on_failure = |attempt, failure| stall.note(attempt, failure);
                    put_until_known(&store, &path, put_id, payload, on_failure).await
                }
                Err(error) => Err(error),
            };
            histogram!("hexflight_wal_commit_seconds").record(started.elapsed());
            (stream, sequence, end)
        });
        Ok(())
    }

    async fn put_ended(
        &mut self,
        end: std::result::Result<(StreamId, Sequence, Result<PutEnd>), tokio::task::JoinError>,
    ) -> Result<()> {
        let (stream, sequence, end) =
            end.map_err(|error| EngineError::Task { task: "wal put", detail: error.to_string() })?;
        if stream != self.stream {
            // A put of a stream that was fenced meanwhile: whatever it did lies behind the fence and counts for nothing.
            return Ok(());
        }
        match end? {
            PutEnd::Landed => {
                self.stall.clear();
                if let Some(batches) = self.in_flight.remove(&sequence) {
                    self.landed.insert(sequence, batches);
                }
                self.publish_prefix()
            }
            PutEnd::Fenced => self.fenced(sequence).await,
        }
    }

    /// Only the contiguous prefix counts: a commit that landed before an earlier one waits for it.
    fn publish_prefix(&mut self) -> Result<()> {
        while let Some(batches) = self.landed.remove(&self.publish_next) {
            let sequence = self.publish_next;
            let visible = batches.iter().map(|append| (append.table.clone(), Arc::clone(&append.memory)));
            self.publisher.publish(self.stream, sequence, visible.collect())?;
            self.publish_next = sequence.next();
            landed::note(&self.store, self.stream, sequence);
            counter!("hexflight_wal_commits_total").increment(1);
            for mut append in batches {
                let rows = append.memory.batch().num_rows();
                append.tell(Ok(Ack { table: append.table.clone(), rows, stream: self.stream, sequence }));
            }
        }
        Ok(())
    }

    /// Another process has ended this stream at `sequence` or before: what it did not let in is refused, what landed before
    /// is published, the next stream begins.
    async fn fenced(&mut self, mut sequence: Sequence) -> Result<()> {
        loop {
            self.refuse_from(sequence);
            if self.in_flight.is_empty() {
                break;
            }
            let Some(end) = self.puts.join_next().await else { break };
            let (_, ended, end) =
                end.map_err(|error| EngineError::Task { task: "wal put", detail: error.to_string() })?;
            match end? {
                PutEnd::Landed => {
                    if let Some(batches) = self.in_flight.remove(&ended) {
                        self.landed.insert(ended, batches);
                        self.publish_prefix()?;
                    }
                }
                // The stream was taken over more than once: the first fence counts.
                PutEnd::Fenced => sequence = sequence.min(ended),
            }
        }
        self.publisher.stream_ended(self.stream, self.publish_next);
        let stream = StreamId::new(self.store.ids());
        while let Err(error) = registry::register(&self.store, stream).await {
            tracing::error!(%stream, %error, "cannot register a stream; trying again");
            time::sleep(REGISTER_PAUSE).await;
        }
        self.publisher.stream_begun(stream);
        tracing::warn!(fenced = %self.stream, at = %sequence, new = %stream, "stream is fenced; going on with a new one");
        (self.stream, self.next, self.publish_next) = (stream, Sequence(1), Sequence(1));
        Ok(())
    }

    fn refuse_from(&mut self, sequence: Sequence) {
        let refused = self.in_flight.split_off(&sequence).into_values();
        let refused = refused.chain(self.landed.split_off(&sequence).into_values());
        for mut append in refused.flatten() {
            append.tell(Err(EngineError::Fenced { stream: self.stream.to_string(), sequence: sequence.0 }));
        }
    }

    /// The WAL is stalled: whoever waits is told. A commit in flight is tried on and may still land, as any batch whose
    /// sender was cut off; what is queued behind it is dropped.
    fn refuse_waiting(&mut self) {
        let Some(failure) = self.stall.failure() else { return };
        let in_flight = self.in_flight.values_mut().chain(self.landed.values_mut()).flatten();
        for append in in_flight.chain(&mut self.queue) {
            append.tell(Err(EngineError::WalStalled { failure: failure.clone() }));
        }
        self.queue.clear();
    }
}
