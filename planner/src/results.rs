//! The batches of a query between the task that makes them and whoever reads them: bounded in number and in bytes, and what waits is
//! accounted for. The task can take all of it back, so that a reader that does not read holds nothing of a query that was ended.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use arrow::array::RecordBatch;
use datafusion::{error::Result, execution::memory_pool::MemoryReservation};
use hexflight_engine::time::{self, Instant};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

/// A batch on its way to a client is there as it was made, converted, encoded, and as bytes of the connection.
const COPIES_ON_THE_WAY: usize = 3;

/// How much waits for a reader at most; one batch may always, however large it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WaitingMax {
    pub(crate) batches: usize,
    /// **Units**: bytes.
    pub(crate) bytes: usize,
}

/// Makes the two ends of a query's results.
pub(crate) fn results(max: WaitingMax) -> (ResultSender, ResultReader) {
    let shared = Arc::new(Shared { max, state: Mutex::new(State::default()), room: Notify::new() });
    (ResultSender(Arc::clone(&shared)), ResultReader { shared, on_its_way: None })
}

#[derive(Debug)]
struct Shared {
    max: WaitingMax,
    state: Mutex<State>,
    /// Told when the reader has taken something, or left.
    room: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    reader: Option<Waker>,
    is_sender_gone: bool,
    is_finished: bool,
    is_reader_gone: bool,
    /// Since when a batch lies there that nobody has taken.
    unread_since: Option<Instant>,
}

#[derive(Debug)]
struct Waiting {
    item: Result<RecordBatch>,
    bytes: usize,
    memory: Option<MemoryReservation>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn has_room(&self, bytes: usize, max: WaitingMax) -> bool {
        self.waiting.is_empty()
            || (self.waiting.len() < max.batches && self.bytes.saturating_add(bytes) <= max.bytes)
    }
}

/// The end of the task.
#[derive(Debug)]
pub(crate) struct ResultSender(Arc<Shared>);

impl ResultSender {
    /// Resolves when there is room for an item of so many bytes; whether anybody still reads.
    pub(crate) async fn room_for(&self, bytes: usize) -> bool {
        loop {
            let room = self.0.room.notified();
            tokio::pin!(room);
            // Registered before the check: what is read in between wakes us.
            room.as_mut().enable();
            {
                let state = self.0.lock();
                if state.is_reader_gone || state.has_room(bytes, self.0.max) {
                    return !state.is_reader_gone;
                }
            }
            room.await;
        }
    }

    /// Hands an item over; `memory` is what it takes, given back when it is read.
    pub(crate) fn push(&self, item: Result<RecordBatch>, memory: Option<MemoryReservation>) {
        let bytes = memory.as_ref().map_or(0, MemoryReservation::size);
        let mut state = self.0.lock();
        if !state.is_reader_gone {
            state.bytes += bytes;
            state.waiting.push_back(Waiting { item, bytes, memory });
            state.unread_since.get_or_insert_with(time::now);
            state.wake_reader();
        }
    }

    /// Says that nothing more will come, and nothing is missing.
    pub(crate) fn finish(&self) {
        let mut state = self.0.lock();
        state.is_finished = true;
        state.wake_reader();
    }

    /// Resolves when the reader has taken all, or left.
    pub(crate) async fn all_read(&self) {
        loop {
            let room = self.0.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            {
                let state = self.0.lock();
                if state.is_reader_gone || state.waiting.is_empty() {
                    return;
                }
            }
            room.await;
        }
    }

    /// Takes back what nobody has read.
    pub(crate) fn take_back(&self) {
        let taken = {
            let mut state = self.0.lock();
            state.bytes = 0;
            std::mem::take(&mut state.waiting)
        };
        drop(taken);
    }

    /// How to look at the reader without keeping anything.
    pub(crate) fn watch(&self) -> ReaderWatch {
        ReaderWatch(Arc::downgrade(&self.0))
    }
}

impl Drop for ResultSender {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_sender_gone = true;
        state.wake_reader();
    }
}

/// Looks at a reader from outside.
#[derive(Debug)]
pub(crate) struct ReaderWatch(std::sync::Weak<Shared>);

impl ReaderWatch {
    /// How long the oldest batch has been waiting for the reader; `None` when none waits.
    pub(crate) fn unread_for(&self) -> Option<Duration> {
        self.0.upgrade()?.lock().unread_since.map(|since| since.elapsed())
    }
}

/// The end of the reader.
#[derive(Debug)]
pub(crate) struct ResultReader {
    shared: Arc<Shared>,
    /// Of the batch that was taken last: whoever asks for the next one has done with it.
    on_its_way: Option<MemoryReservation>,
}

impl ResultReader {
    /// Whether the sender has said that nothing is missing.
    pub(crate) fn is_finished(&self) -> bool {
        self.shared.lock().is_finished
    }

    /// The next item; `None` when nothing is left and nothing more will come.
    pub(crate) fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        self.on_its_way = None;
        let mut state = self.shared.lock();
        if let Some(next) = state.waiting.pop_front() {
            state.bytes -= next.bytes.min(state.bytes);
            state.unread_since = (!state.waiting.is_empty()).then(time::now);
            drop(state);
            if let Some(memory) = &next.memory {
                memory.grow(next.bytes * COPIES_ON_THE_WAY);
            }
            self.on_its_way = next.memory;
            self.shared.room.notify_one();
            return Poll::Ready(Some(next.item));
        }
        if state.is_finished || state.is_sender_gone {
            return Poll::Ready(None);
        }
        state.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for ResultReader {
    fn drop(&mut self) {
        let left = {
            let mut state = self.shared.lock();
            state.is_reader_gone = true;
            std::mem::take(&mut state.waiting)
        };
        drop(left);
        self.shared.room.notify_one();
    }
}
