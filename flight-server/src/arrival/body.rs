//! `ArrivingBody`: the body of a call, whose large messages have memory before their bytes are taken. While there is none the body is not read
//! on, and a message that has memory must go on.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::HttpBody;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tonic::{Status, body::Body};

use super::{ArrivalMemory, Arrived, FREE_BYTES, Waits, framing::Framing};
use hexflight_engine::time::{Sleep, sleep};

/// Slower than any link that somebody would send a large message over, and longer than an append waits: while one does, nobody may read on.
const PACE: Pace = Pace { wait: Duration::from_secs(15), bytes_min: 64 << 10 };

/// Of a message at least this part must arrive in that time, too: a large one holds more that others wait for.
const PACE_PART: usize = 64;

/// At least so many bytes of a message must arrive while it is waited for so long.
#[derive(Debug, Clone, Copy)]
struct Pace {
    wait: Duration,
    /// **Units**: bytes.
    bytes_min: usize,
}

type Waiting = Pin<Box<dyn Future<Output = Result<Arrived, Status>> + Send>>;

/// See the module.
pub(super) struct ArrivingBody {
    inner: Body,
    memory: Arc<ArrivalMemory>,
    /// Longest message that is taken; a longer one is refused by its reader. **Units**: bytes.
    bytes_max: usize,
    /// Whether messages are read one after the other. Of a call that takes one, the message is held until its request ends, which must be soon.
    is_stream: bool,
    framing: Framing,
    /// What has arrived and not been handed on.
    kept: Option<Bytes>,
    /// For the first message of what is kept.
    waiting: Option<Waiting>,
    waits: Waits,
    /// Of the message that is arriving.
    arriving: Option<Arrived>,
    /// Of the message that is complete; the reader of a stream has it until he asks for more.
    complete: Option<Arrived>,
    pace: Pace,
    /// What has arrived since the timer was set. **Units**: bytes.
    progress: usize,
    timer: Option<Pin<Box<Sleep>>>,
}

impl fmt::Debug for ArrivingBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArrivingBody").field("framing", &self.framing).finish_non_exhaustive()
    }
}

impl ArrivingBody {
    pub(super) fn new(
        inner: Body,
        memory: Arc<ArrivalMemory>,
        waits: Waits,
        bytes_max: usize,
        is_stream: bool,
    ) -> Self {
        Self {
            inner,
            memory,
            bytes_max,
            is_stream,
            framing: Framing::default(),
            kept: None,
            waiting: None,
            waits,
            arriving: None,
            complete: None,
            pace: PACE,
            progress: 0,
            timer: None,
        }
    }

    /// The next bytes, from what is kept or from the client.
    fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(kept) = self.kept.take() {
            return Poll::Ready(Some(Ok(Frame::data(kept))));
        }
        match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Pending => self.poll_pace(context).map(|status| Some(Err(status))),
            ready => ready,
        }
    }

    /// Hands on as much of `data` as has memory; keeps the rest.
    fn take(&mut self, mut data: Bytes, context: &mut Context<'_>) -> Poll<Result<Bytes, Status>> {
        let mut seen = self.framing.see(&data);
        let large = seen.begun.filter(|begun| (FREE_BYTES + 1..=self.bytes_max).contains(&begun.bytes));
        match large {
            // What is before it goes on first: nobody waits for memory while he has some.
            Some(begun) if begun.at > 0 => {
                self.kept = Some(data.split_off(begun.at));
                seen = self.framing.see(&data);
            }
            Some(begun) => match self.poll_memory(begun.bytes, context) {
                Poll::Ready(memory) => self.arriving = Some(memory?),
                Poll::Pending => {
                    self.kept = Some(data);
                    return Poll::Pending;
                }
            },
            None => {}
        }
        if seen.has_ended {
            self.complete = self.arriving.take();
        }
        self.framing = seen.next;
        self.note_progress(data.len());
        Poll::Ready(Ok(data))
    }

    fn poll_memory(&mut self, bytes: usize, context: &mut Context<'_>) -> Poll<Result<Arrived, Status>> {
        if self.waiting.is_none()
            && let Some(memory) = self.memory.try_hold(bytes)
        {
            return Poll::Ready(Ok(memory));
        }
        self.waits.begin();
        let memory = &self.memory;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(Arc::clone(memory).hold(bytes)));
        let held = ready!(waiting.as_mut().poll(context));
        self.waiting = None;
        self.waits.end();
        Poll::Ready(held)
    }

    fn note_progress(&mut self, bytes: usize) {
        self.progress += bytes;
        if self.progress >= self.bytes_min() || !self.must_go_on() {
            (self.progress, self.timer) = (0, None);
        }
    }

    /// Whether something is held for the client to go on.
    fn must_go_on(&self) -> bool {
        self.arriving.is_some() || !self.is_stream
    }

    /// What must arrive in the time of the pace. **Units**: bytes.
    fn bytes_min(&self) -> usize {
        let message = self.arriving.as_ref().map_or(0, Arrived::asked);
        self.pace.bytes_min.max(message / PACE_PART)
    }

    /// The refusal of a message that has memory and does not go on, or of a request that does not end.
    fn poll_pace(&mut self, context: &mut Context<'_>) -> Poll<Status> {
        if !self.must_go_on() {
            return Poll::Pending;
        }
        let (wait, bytes_min) = (self.pace.wait, self.bytes_min());
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(wait)));
        ready!(timer.as_mut().poll(context));
        let progress = self.progress;
        Poll::Ready(Status::deadline_exceeded(format!(
            "{progress} bytes of the message arrived in {wait:?}, at least {bytes_min} must"
        )))
    }
}

impl HttpBody for ArrivingBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_stream {
            self.complete = None;
        }
        let frame = match ready!(self.poll_bytes(context)) {
            Some(Ok(frame)) => frame,
            other => return Poll::Ready(other),
        };
        match frame.into_data() {
            Ok(data) => self.take(data, context).map(|data| Some(data.map(Frame::data))),
            Err(other) => Poll::Ready(Some(Ok(other))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.kept.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.kept.is_none() { self.inner.size_hint() } else { SizeHint::default() }
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
