//! The flush task: flushes when a generation is full, when memory is short, when `flush_interval` has passed, and when asked;
//! then lets go of the WAL behind it.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use metrics::gauge;
use tokio::sync::{mpsc, oneshot};

use super::table::{Portion, flush_table};
use crate::{
    budget::Admission,
    error::Result,
    health::Health,
    signals::FlushSignals,
    store::Store,
    stream::Streams,
    tables::Tables,
    time::{self, MissedTickBehavior},
};

/// Pause after a failed flush.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Asks the flush task for something.
#[derive(Debug)]
pub(crate) enum FlushMessage {
    /// Flush all rows that are visible now, then answer.
    Everything(oneshot::Sender<Result<()>>),
}

/// What a flush works on.
#[derive(Debug)]
pub(crate) struct Flusher {
    pub(crate) store: Store,
    pub(crate) tables: Arc<Tables>,
    pub(crate) streams: Arc<Streams>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) signals: Arc<FlushSignals>,
    pub(crate) health: Arc<Health>,
    pub(crate) portion: Portion,
    pub(crate) interval: Duration,
}

impl Flusher {
    /// Flushes every table, then lets go of the WAL behind it. Boxed: the future is large, and is part of several others.
    pub(crate) fn flush(&self, everything: bool) -> BoxFuture<'_, Result<()>> {
        self.flush_tables(everything).boxed()
    }

    async fn flush_tables(&self, everything: bool) -> Result<()> {
        // Lent as long as this lasts: what the disk has no space for otherwise is written, and the log behind it makes space.
        let store = self.store.with_reserve();
        let flushed = self.flush_to(&store, everything).await;
        drop(store);
        self.store.keep_reserve().await;
        flushed
    }

    async fn flush_to(&self, store: &Store, everything: bool) -> Result<()> {
        let mut failure = None;
        for table in self.tables.iter() {
            if let Err(error) = flush_table(table, &self.admission.budget, self.portion, everything).await {
                failure.get_or_insert(error);
            }
        }
        // Also behind a flush that got only part of the way: on a full disk the rest needs the space.
        let freed = self.streams.retire(&self.tables, &self.store, store).await;
        failure.map_or(freed, Err)
    }

    fn note(&self, end: &Result<()>) {
        self.health.note_flush(end);
        gauge!("hexflight_memory_used_bytes").set(self.admission.budget.used() as f64);
    }

    fn is_worth_flushing(&self) -> bool {
        self.admission.is_worth_flushing(self.tables.active_bytes())
    }
}

/// Runs until every sender of `inbox` is gone.
pub(crate) async fn run(flusher: Arc<Flusher>, mut inbox: mpsc::Receiver<FlushMessage>) {
    let mut tick = time::interval_at(time::now() + flusher.interval, flusher.interval);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let (everything, waiter) = tokio::select! {
            biased;
            message = inbox.recv() => match message {
                Some(FlushMessage::Everything(waiter)) => (true, Some(waiter)),
                None => return,
            },
            () = flusher.signals.pressure.notified() => (flusher.is_worth_flushing(), None),
            () = flusher.signals.full.notified() => (false, None),
            () = flusher.signals.space.notified() => (true, None),
            _ = tick.tick() => (true, None),
        };
        let end = flusher.flush(everything).await;
        flusher.note(&end);
        match (waiter, end) {
            (Some(waiter), end) => {
                // Whoever asked may have gone away.
                let _ = waiter.send(end);
            }
            (None, Err(error)) => {
                tracing::error!(%error, "flush failed; the rows stay in memory and in the WAL");
                time::sleep(RETRY_PAUSE).await;
                if flusher.admission.is_short() {
                    flusher.signals.pressure.notify_one();
                }
            }
            (None, Ok(())) => flusher.admission.flush_if_short(|| flusher.tables.active_bytes()),
        }
    }
}
