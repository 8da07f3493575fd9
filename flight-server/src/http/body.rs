//! The body of a request: read within a limit and a time. What is held counts against a share of the memory limit, so that many large bodies at
//! once are refused instead of filling the machine. A body that is refused is read on for a while, so that its sender gets to see the answer
//! instead of a reset connection.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, BodyDataStream},
    http::{HeaderMap, StatusCode, header},
};
use futures::StreamExt;
use hexflight_engine::{Budget, Reservation, time::timeout};

use crate::status::{Problem, engine_problem};

/// How long a whole body may take.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Part of the memory limit that bodies may take together.
const MEMORY_PART: usize = 8;

/// What a body may have without asking: a few events or a short statement come through while others hold the whole share. **Units**: bytes.
const FREE_BYTES: usize = 16 << 10;

/// How much of a refused body is still read, and for how long. **Units**: bytes.
const DRAIN_BYTES_MAX: usize = 64 << 20;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// The share of memory that bodies may take.
#[derive(Debug)]
pub(crate) struct BodyMemory {
    bodies: Arc<Budget>,
    total: Arc<Budget>,
}

/// Most bytes of a body, and the setting or rule behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimit {
    /// **Units**: bytes.
    pub(super) bytes: usize,
    pub(super) rule: &'static str,
}

/// Bytes of a body, and their share of memory.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    /// What there is for this body.
    room: usize,
    /// Of bodies.
    share: Reservation,
    /// Of everything: so that others see what bodies take.
    memory: Reservation,
}

impl BodyMemory {
    /// Of the engine's budget.
    pub(crate) fn of(total: &Arc<Budget>) -> Self {
        Self { bodies: Budget::new(total.limit() / MEMORY_PART), total: Arc::clone(total) }
    }

    /// For bodies that have no more than each may have without asking.
    pub(super) fn of_small_bodies() -> Self {
        Self::of(&Budget::new(0))
    }

    /// Nothing yet.
    fn hold(&self) -> Held {
        let (share, memory) = (self.bodies.reserve_unchecked(0), self.total.events_unchecked(0));
        Held { bytes: Vec::new(), room: self.bodies.limit().saturating_add(FREE_BYTES), share, memory }
    }
}

impl BodyLimit {
    /// The tighter of two limits.
    pub(super) fn or(self, bytes: usize, rule: &'static str) -> Self {
        if bytes < self.bytes { Self { bytes, rule } } else { self }
    }

    /// The refusal of a body that is larger.
    pub(super) fn refuse(self, what: &str) -> Problem {
        let Self { bytes, rule } = self;
        let detail = format!("the {what} is larger than the limit of {bytes} bytes ({rule})");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail).with("limit_bytes", bytes)
    }
}

impl Held {
    /// Takes in more of the body.
    ///
    /// # Errors
    /// 429 when the share has no room.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), Problem> {
        let due = (self.bytes.len() + piece.len()).saturating_sub(FREE_BYTES);
        let more = due.saturating_sub(self.share.bytes());
        if more > 0 {
            self.share.try_grow(more, 1.0).map_err(|error| engine_problem(&error))?;
            // The share bounds it: to ask here too would let bodies and full generations wait for each other.
            self.memory.merge(self.memory.again(more));
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// Room for what is made of this body, while both are held.
    pub(super) fn empty(&self) -> Self {
        let room = self.room.saturating_sub(self.bytes.len());
        Self { bytes: Vec::new(), room, share: self.share.again(0), memory: self.memory.again(0) }
    }

    /// Lets go of the bytes and keeps their share of memory, for what was made of them.
    pub(super) fn let_go(&mut self) {
        self.bytes = Vec::new();
    }

    /// The tighter of a limit and of what fits into memory.
    pub(super) fn bounded(&self, limit: BodyLimit) -> BodyLimit {
        limit.or(self.room, "memory_limit")
    }
}

/// Reads a whole body, and the rest of one that is refused.
pub(super) async fn read_whole(
    body: Body,
    headers: &HeaderMap,
    memory: &BodyMemory,
    limit: BodyLimit,
) -> Result<Held, Problem> {
    let mut pieces = body.into_data_stream();
    let read = read(&mut pieces, memory, limit, READ_TIMEOUT).await;
    if let Err(problem) = &read {
        refuse(pieces, headers, problem).await;
    }
    read
}

/// Reads a body as it is sent.
pub(super) async fn read(
    pieces: &mut BodyDataStream,
    memory: &BodyMemory,
    limit: BodyLimit,
    wait: Duration,
) -> Result<Held, Problem> {
    let mut held = memory.hold();
    let limit = held.bounded(limit);
    let reading = async {
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| unread(&error))?;
            if held.bytes.len() + piece.len() > limit.bytes {
                return Err(limit.refuse("body").with_hint("send less at once"));
            }
            held.push(&piece)?;
        }
        Ok(())
    };
    let read = timeout(wait, reading).await;
    read.unwrap_or_else(|_| {
        let detail = format!("the body did not arrive within {wait:?}");
        Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail))
    })?;
    Ok(held)
}

/// Whatever the client still sends is read, unless it waits to be asked or was too slow already.
pub(super) async fn refuse(pieces: BodyDataStream, headers: &HeaderMap, problem: &Problem) {
    if !headers.contains_key(header::EXPECT) && problem.status() != StatusCode::REQUEST_TIMEOUT {
        drain(pieces).await;
    }
}

async fn drain(mut pieces: BodyDataStream) {
    let mut drained = 0;
    let draining = async {
        while let Some(Ok(piece)) = pieces.next().await {
            drained += piece.len();
            if drained > DRAIN_BYTES_MAX {
                return;
            }
        }
    };
    // Who sends more, or slowly, is cut off.
    let _cut_off = timeout(DRAIN_TIMEOUT, draining).await;
}

fn unread(error: &axum::Error) -> Problem {
    let detail = format!("the body did not arrive whole: {error}");
    Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", detail)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    const LIMIT: BodyLimit = BodyLimit { bytes: 1 << 20, rule: "max_body" };

    async fn read_body(body: Body, wait: Duration, memory: &BodyMemory) -> Result<Held, Problem> {
        read(&mut body.into_data_stream(), memory, LIMIT, wait).await
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up_and_its_memory_given_back() {
        let total = Budget::new(1 << 20);
        let begun = futures::stream::iter([Ok::<_, io::Error>("x".repeat(FREE_BYTES + 1))]);
        let body = Body::from_stream(begun.chain(futures::stream::pending()));

        let problem = read_body(body, Duration::from_millis(1), &BodyMemory::of(&total)).await.unwrap_err();

        assert_eq!(problem.status(), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(total.used(), 0);
    }

    #[tokio::test]
    async fn a_body_that_fails_is_no_body() {
        let pieces: [Result<&str, io::Error>; 2] =
            [Ok("beginning"), Err(io::ErrorKind::ConnectionReset.into())];
        let body = Body::from_stream(futures::stream::iter(pieces));

        let memory = BodyMemory::of(&Budget::new(1 << 20));
        let problem = read_body(body, READ_TIMEOUT, &memory).await.unwrap_err();

        assert_eq!(problem.code(), "incomplete_body");
    }

    #[tokio::test]
    async fn bodies_never_take_more_than_their_share_of_memory() {
        let total = Budget::new(800 * MEMORY_PART);
        let memory = BodyMemory::of(&total);
        let of = |bytes: usize| Body::from("x".repeat(FREE_BYTES + bytes));

        let held = read_body(of(800), READ_TIMEOUT, &memory).await.unwrap();
        assert_eq!(total.used(), 800);
        let busy = read_body(of(1), READ_TIMEOUT, &memory).await.unwrap_err();
        assert_eq!(busy.status(), StatusCode::TOO_MANY_REQUESTS);
        read_body(of(0), READ_TIMEOUT, &memory).await.unwrap();

        drop(held);
        assert_eq!(total.used(), 0);
        let problem = read_body(of(801), READ_TIMEOUT, &memory).await.unwrap_err();
        assert!(problem.detail().contains("memory_limit"), "{}", problem.detail());
    }
}
