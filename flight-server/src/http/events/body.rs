//! The bytes of a body: read within a limit and a time, decompressed within another limit. What is held counts against a share of the memory
//! limit, so that many large bodies at once are refused instead of filling the machine.

use std::{
    io::{self, Read},
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{body::BodyDataStream, http::StatusCode};
use flate2::read::MultiGzDecoder;
use futures::StreamExt;
use hexflight_engine::{Budget, Reservation};
use tokio::time::timeout;

use super::request::Encoding;
use crate::{
    error::engine_problem,
    http::{ApiLimits, Problem},
};

/// How long a whole body may take.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Part of the memory limit that bodies may take together.
const MEMORY_PART: usize = 8;

/// How much is decompressed between looks at the limits. **Units**: bytes.
const PIECE_BYTES: usize = 64 << 10;

/// Largest window of a zstd frame, as a power of two: what the format recommends decoders to take, 8 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How much of a refused body is still read, and for how long: a client that only writes would else see a reset connection in place of the
/// answer. **Units**: bytes.
const DRAIN_BYTES_MAX: usize = 64 << 20;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// The share of memory that bodies may take.
#[derive(Debug, Default)]
pub(super) struct BodyMemory(OnceLock<Arc<Budget>>);

/// Bytes of a body, and their share of memory.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    /// What bodies may take together.
    room: usize,
    /// Of bodies.
    share: Reservation,
    /// Of everything: so that others see what bodies take.
    memory: Reservation,
}

impl BodyMemory {
    /// Nothing yet. `total` is the engine's budget.
    fn hold(&self, total: &Arc<Budget>) -> Held {
        let bodies = self.0.get_or_init(|| Budget::new(total.limit() / MEMORY_PART));
        let (share, memory) = (bodies.reserve_unchecked(0), total.events_unchecked(0));
        Held { bytes: Vec::new(), room: bodies.limit(), share, memory }
    }
}

impl Held {
    fn push(&mut self, piece: &[u8]) -> Result<(), Problem> {
        self.share.try_grow(piece.len(), 1.0).map_err(|error| engine_problem(&error))?;
        // The share bounds it: to ask here too would let bodies and full generations wait for each other.
        self.memory.merge(self.memory.again(piece.len()));
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    fn empty(&self) -> Self {
        let room = self.room.saturating_sub(self.bytes.len());
        Self { bytes: Vec::new(), room, share: self.share.again(0), memory: self.memory.again(0) }
    }

    /// Lets go of the bytes and keeps their share of memory, for what was made of them.
    pub(super) fn let_go(&mut self) {
        self.bytes = Vec::new();
    }

    /// The smaller of a limit and of what fits into memory, and the setting behind it.
    fn bounded(&self, limit: usize, setting: &'static str) -> (usize, &'static str) {
        if self.room < limit { (self.room, "memory_limit") } else { (limit, setting) }
    }
}

/// Reads a body as it is sent.
pub(super) async fn read(
    pieces: &mut BodyDataStream,
    memory: &BodyMemory,
    total: &Arc<Budget>,
    limits: &ApiLimits,
    wait: Duration,
) -> Result<Held, Problem> {
    let mut held = memory.hold(total);
    let (limit, setting) = held.bounded(limits.body_bytes_max, "max_body");
    let reading = async {
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| unread(&error))?;
            if held.bytes.len() + piece.len() > limit {
                return Err(too_large("body", limit, setting));
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

/// Reads on for a while, so that the client gets to the answer.
pub(super) async fn drain(mut pieces: BodyDataStream) {
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

/// Whether a body that says how large it is, is too large.
pub(super) fn check_length(declared: Option<u64>, limits: &ApiLimits) -> Result<(), Problem> {
    let limit = u64::try_from(limits.body_bytes_max).unwrap_or(u64::MAX);
    match declared.filter(|declared| *declared > limit) {
        Some(declared) => {
            Err(too_large(&format!("body of {declared} bytes"), limits.body_bytes_max, "max_body"))
        }
        None => Ok(()),
    }
}

/// Decompresses a body; a long piece of work.
pub(super) fn inflate(packed: Held, encoding: Encoding, limits: &ApiLimits) -> Result<Held, Problem> {
    let plain = packed.empty();
    match encoding {
        Encoding::Identity => Ok(packed),
        Encoding::Gzip => unpack(plain, MultiGzDecoder::new(packed.bytes.as_slice()), "gzip", limits),
        Encoding::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(packed.bytes.as_slice());
            let decoder = decoder.and_then(|mut decoder| {
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Ok(decoder)
            });
            unpack(plain, decoder.map_err(|error| corrupt("zstd", &error))?, "zstd", limits)
        }
    }
}

fn unpack(mut plain: Held, mut packed: impl Read, name: &str, limits: &ApiLimits) -> Result<Held, Problem> {
    let (limit, setting) = plain.bounded(limits.plain_bytes_max, "max_message");
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = packed.read(&mut piece).map_err(|error| corrupt(name, &error))?;
        if count == 0 {
            return Ok(plain);
        }
        if plain.bytes.len() + count > limit {
            return Err(too_large("decompressed body", limit, setting));
        }
        plain.push(&piece[..count])?;
    }
}

fn too_large(what: &str, limit: usize, setting: &str) -> Problem {
    let detail = format!("the {what} is larger than the limit of {limit} bytes ({setting})");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
        .with("limit_bytes", limit)
        .with_hint("send smaller batches")
}

fn corrupt(name: &str, error: &io::Error) -> Problem {
    let reason = if error.kind() == io::ErrorKind::UnexpectedEof {
        "it ends too early".to_owned()
    } else {
        error.to_string()
    };
    let detail = format!("the body cannot be decompressed as {name}: {reason}");
    Problem::new(StatusCode::BAD_REQUEST, "corrupt_encoding", detail)
}

fn unread(error: &axum::Error) -> Problem {
    let detail = format!("the body did not arrive whole: {error}");
    Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", detail)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    const LIMITS: ApiLimits = ApiLimits {
        body_bytes_max: 1_000,
        plain_bytes_max: 1_000,
        import_bytes_max: 0,
        scratch_dir: std::path::PathBuf::new(),
    };

    async fn read_body(body: Body, wait: Duration, total: &Arc<Budget>) -> Result<Held, Problem> {
        read(&mut body.into_data_stream(), &BodyMemory::default(), total, &LIMITS, wait).await
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up_and_its_memory_given_back() {
        let total = Budget::new(1 << 20);
        let begun = futures::stream::iter([Ok::<_, io::Error>("beginning")]);
        let body = Body::from_stream(begun.chain(futures::stream::pending()));

        let problem = read_body(body, Duration::from_millis(1), &total).await.unwrap_err();

        assert_eq!(problem.status(), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(total.used(), 0);
    }

    #[tokio::test]
    async fn a_body_that_fails_is_no_body() {
        let pieces: [Result<&str, io::Error>; 2] =
            [Ok("beginning"), Err(io::ErrorKind::ConnectionReset.into())];
        let body = Body::from_stream(futures::stream::iter(pieces));

        let problem = read_body(body, READ_TIMEOUT, &Budget::new(1 << 20)).await.unwrap_err();

        assert_eq!(problem.code(), "incomplete_body");
    }

    #[tokio::test]
    async fn bodies_never_take_more_than_their_share_of_memory() {
        let total = Budget::new(800 * MEMORY_PART);

        let held = read_body(Body::from("x".repeat(800)), READ_TIMEOUT, &total).await.unwrap();
        let problem = read_body(Body::from("x".repeat(801)), READ_TIMEOUT, &total).await.unwrap_err();

        assert_eq!(total.used(), 800);
        drop(held);
        assert_eq!(total.used(), 0);
        assert!(problem.detail().contains("memory_limit"), "{}", problem.detail());
    }
}
