//! `ClientError`: what can go wrong between a command and a server, in words that say what to do.

use std::{error::Error, time::Duration};

use arrow_flight::error::FlightError;
use tonic::{Code, Status};

/// Response metadata by which a server says when to come back. **Units**: ms.
const RETRY_HINT_KEY: &str = "grpc-retry-pushback-ms";

/// A failed call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address is not one this client can use.
    #[error("{url}: not a server address: {rule}")]
    Address {
        /// What was given.
        url: String,
        /// What would be right.
        rule: String,
    },
    /// Nothing answers at the address.
    #[error(
        "cannot connect to {url}: {reason}; start a server with `hexflight serve` or name another one with --target"
    )]
    Connect {
        /// The address.
        url: String,
        /// The innermost cause.
        reason: String,
    },
    /// The server refused, or the connection broke.
    #[error("{} ({})", .0.message(), code_name(.0.code()))]
    Status(Box<Status>),
    /// The server said something that is not in the protocol.
    #[error("unexpected answer: {reason}")]
    Protocol {
        /// What was unexpected.
        reason: String,
    },
    /// A batch is too large for one message.
    #[error("a batch of {bytes} bytes does not fit one message of {limit}: send fewer rows per batch")]
    TooLarge {
        /// Bytes of the batch.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A batch could not be encoded or decoded.
    #[error("{0}")]
    Arrow(#[from] arrow::error::ArrowError),
}

impl ClientError {
    /// The gRPC code, where the server gave one.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Status(status) => Some(status.code()),
            _ => None,
        }
    }

    /// Whether the server or the way to it failed, so that what was sent without an ack may or may not have been kept.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Connect { .. } => true,
            Self::Status(status) => {
                matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled)
            }
            _ => false,
        }
    }

    /// When the server asked to come back, if it did.
    #[must_use]
    pub fn retry_hint(&self) -> Option<Duration> {
        let Self::Status(status) = self else { return None };
        let millis = status.metadata().get(RETRY_HINT_KEY)?.to_str().ok()?.parse().ok()?;
        Some(Duration::from_millis(millis))
    }
}

impl From<FlightError> for ClientError {
    fn from(error: FlightError) -> Self {
        match error {
            FlightError::Tonic(status) => Self::Status(status),
            FlightError::Arrow(error) => Self::Arrow(error),
            other => Self::Protocol { reason: other.to_string() },
        }
    }
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

/// The innermost cause: transport errors wrap the only part that says something.
pub(super) fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = cause.to_string();
    // "Connection refused (os error 111)": the number helps nobody who reads the words.
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
