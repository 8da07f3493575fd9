//! `Queue`: those who wait for memory for events, first come, first served. Memory is handed over by whoever gives it back, so each is
//! woken once, with what it waited for in its hands; nobody looks again and again.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::oneshot::{self, error::TryRecvError};

use super::{Budget, Holder, Reservation};
use crate::{
    error::{EngineError, Result},
    time::{Instant, timeout_at},
};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Place>,
    next: u64,
    /// Nobody waits any more: who finds no memory is refused.
    is_closed: bool,
}

#[derive(Debug)]
struct Place {
    number: u64,
    bytes: usize,
    granted: oneshot::Sender<Reservation>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// What the first of all waits for. **Units**: bytes.
    pub(super) fn first(&self) -> Option<usize> {
        self.waiting.front().map(|place| place.bytes)
    }

    /// Takes the first of all off the queue.
    pub(super) fn pop(&mut self) -> Option<oneshot::Sender<Reservation>> {
        self.waiting.pop_front().map(|place| place.granted)
    }

    /// Refuses all who wait, and whoever would from now on.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.waiting.clear();
    }

    fn push(&mut self, bytes: usize) -> Result<(u64, oneshot::Receiver<Reservation>)> {
        if self.is_closed {
            return Err(EngineError::Closed);
        }
        let (granted, receiver) = oneshot::channel();
        let number = self.next;
        self.next += 1;
        self.waiting.push_back(Place { number, bytes, granted });
        Ok((number, receiver))
    }

    fn remove(&mut self, number: u64) {
        self.waiting.retain(|place| place.number != number);
    }
}

/// Somebody who waits. Dropped, its place goes to the next.
#[derive(Debug)]
pub(super) struct Waiter {
    budget: Arc<Budget>,
    number: u64,
    bytes: usize,
    granted: oneshot::Receiver<Reservation>,
}

impl Waiter {
    /// Goes to the end of the queue.
    ///
    /// # Errors
    /// `Closed` when nobody is to wait any more.
    pub(super) fn queue_up(budget: &Arc<Budget>, bytes: usize) -> Result<Self> {
        let (number, granted) = budget.inner.lock().queue.push(bytes)?;
        Ok(Self { budget: Arc::clone(budget), number, bytes, granted })
    }

    /// Waits until the memory is there.
    ///
    /// # Errors
    /// `Exhausted` when it is not by `deadline`, `Closed` when nobody is to wait any more.
    pub(super) async fn wait(mut self, deadline: Instant) -> Result<Reservation> {
        match timeout_at(deadline, &mut self.granted).await {
            Ok(granted) => granted.map_err(|_| EngineError::Closed),
            Err(_) => match self.granted.try_recv() {
                Ok(granted) => Ok(granted),
                Err(TryRecvError::Empty) => Err(self.budget.refusal(Holder::Events, self.bytes)),
                Err(TryRecvError::Closed) => Err(EngineError::Closed),
            },
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.budget.inner.lock().queue.remove(self.number);
        // Those behind may ask for less.
        self.budget.grant();
    }
}
