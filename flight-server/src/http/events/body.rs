//! What is particular to bodies of events: the limits on what they declare, and decompression within another limit.

use std::io::{self, Read};

use axum::http::StatusCode;
use flate2::read::MultiGzDecoder;

use super::request::Encoding;
use crate::{
    http::{
        ApiLimits,
        body::{BodyLimit, Held},
    },
    status::Problem,
};

/// What somebody whose batch is too large should do.
const SMALLER: &str = "send smaller batches";

/// How much is decompressed between looks at the limits. **Units**: bytes.
const PIECE_BYTES: usize = 64 << 10;

/// Largest window of a zstd frame, as a power of two: what the format recommends decoders to take, 8 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// The limit of bodies as they are sent.
pub(super) fn sent_limit(limits: &ApiLimits) -> BodyLimit {
    BodyLimit { bytes: limits.body_bytes_max, rule: "max_body" }
}

/// Whether a body that says how large it is, is too large.
pub(super) fn check_length(declared: Option<u64>, limits: &ApiLimits) -> Result<(), Problem> {
    let limit = sent_limit(limits);
    match declared.filter(|declared| usize::try_from(*declared).unwrap_or(usize::MAX) > limit.bytes) {
        Some(declared) => Err(limit.refuse(&format!("body of {declared} bytes")).with_hint(SMALLER)),
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
    let limit = plain.bounded(BodyLimit { bytes: limits.plain_bytes_max, rule: "max_message" });
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = packed.read(&mut piece).map_err(|error| corrupt(name, &error))?;
        if count == 0 {
            return Ok(plain);
        }
        if plain.bytes.len() + count > limit.bytes {
            return Err(limit.refuse("decompressed body").with_hint(SMALLER));
        }
        plain.push(&piece[..count])?;
    }
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
