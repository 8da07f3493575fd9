//! The flush task: flushes when a generation is full, when memory is short, when `flush_interval` has passed, and when asked;
//! then lets go of the WAL behind it.

use std::sync::Arc;

use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{Instant, MissedTickBehavior},
};

use crate::{core::Core, error::Result};

/// Pause after a failed flush.
const RETRY_PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

/// Asks the flush task for something.
#[derive(Debug)]
pub(crate) enum FlushMessage {
    /// Flush all rows that are visible now, then answer.
    Everything(oneshot::Sender<Result<()>>),
}

/// Wakes the flush task without waiting for it.
#[derive(Debug, Default)]
pub(crate) struct FlushSignals {
    /// A generation was closed because it is full.
    pub(crate) full: Notify,
    /// An append begins to wait for memory, or what could be flushed for those who wait has grown.
    pub(crate) pressure: Notify,
    /// The disk is full.
    pub(crate) space: Notify,
}

/// Runs until every sender of `inbox` is gone.
pub(crate) async fn run(core: Arc<Core>, mut inbox: mpsc::Receiver<FlushMessage>) {
    let mut tick =
        tokio::time::interval_at(Instant::now() + core.options.flush_interval, core.options.flush_interval);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let (everything, waiter) = tokio::select! {
            biased;
            message = inbox.recv() => match message {
                Some(FlushMessage::Everything(waiter)) => (true, Some(waiter)),
                None => return,
            },
            () = core.flush_signals.pressure.notified() => (core.is_worth_closing(), None),
            () = core.flush_signals.full.notified() => (false, None),
            () = core.flush_signals.space.notified() => (true, None),
            _ = tick.tick() => (true, None),
        };
        let end = core.flush(everything).await;
        core.note_flush(&end);
        match (waiter, end) {
            (Some(waiter), end) => {
                // Whoever asked may have gone away.
                let _ = waiter.send(end);
            }
            (None, Err(error)) => {
                tracing::error!(%error, "flush failed; the rows stay in memory and in the WAL");
                tokio::time::sleep(RETRY_PAUSE).await;
                if core.is_short_of_memory() {
                    core.flush_signals.pressure.notify_one();
                }
            }
            (None, Ok(())) => core.flush_if_short(),
        }
    }
}
