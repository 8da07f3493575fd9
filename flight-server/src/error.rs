//! The only table from what went wrong to gRPC codes and HTTP statuses, and the errors of starting a server. Texts come from where the error was
//! found; here they only get a code and, for limits, a retry hint.

use std::{io, net::SocketAddr, path::PathBuf};

use axum::http::StatusCode;
use bytes::Bytes;
use hexflight_engine::{EngineError, ErrorKind};
use hexflight_planner::{DataFusionError, QueryErrorKind, classify};
use prost::Message;
use tonic::{Code, Status, metadata::MetadataMap};

use crate::{config::ConfigError, http::Problem};

/// Header with the milliseconds after which a refused caller should come back. gRPC's own name for it.
const RETRY_HEADER: &str = "grpc-retry-pushback-ms";

/// When a query that found no memory is told to come back. **Units**: ms.
const QUERY_RETRY_MS: u64 = 1_000;

/// When a query that waited in vain for its turn is told to come back. **Units**: ms.
const BUSY_RETRY_MS: u64 = 5_000;

/// When an HTTP client of a server that cannot take work is told to come back. **Units**: seconds.
const UNAVAILABLE_RETRY_S: u64 = 1;

/// Type of the retry hint in `grpc-status-details-bin`.
const RETRY_INFO_URL: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// The gRPC code of each kind of engine error.
fn code_of(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::Conflict => Code::Aborted,
        ErrorKind::Unavailable | ErrorKind::Closed => Code::Unavailable,
        ErrorKind::Exhausted => Code::ResourceExhausted,
        ErrorKind::Corrupt => Code::DataLoss,
        // A kind this table does not know yet is ours to add: a bug like the others.
        _ => Code::Internal,
    }
}

/// The status of an engine error: its code, its text, and when to come back if a limit was hit.
pub(crate) fn engine_status(error: &EngineError) -> Status {
    let code = code_of(error.kind());
    let status = match error.retry_ms() {
        Some(retry_ms) => retry_later(error.to_string(), retry_ms),
        None => Status::new(code, error.to_string()),
    };
    log_if_ours(&status);
    status
}

/// The status of a failed query.
pub(crate) fn query_status(failure: &DataFusionError) -> Status {
    let failure = classify(failure);
    let code = match failure.kind {
        QueryErrorKind::Invalid => Code::InvalidArgument,
        QueryErrorKind::ResourcesExhausted => return retry_later(failure.message, QUERY_RETRY_MS),
        QueryErrorKind::Busy => return retry_later(failure.message, BUSY_RETRY_MS),
        QueryErrorKind::TimedOut | QueryErrorKind::OwnTimeOut => Code::DeadlineExceeded,
        QueryErrorKind::Engine(kind) => code_of(kind),
        QueryErrorKind::Cancelled => Code::Cancelled,
        _ => Code::Internal,
    };
    let status = Status::new(code, failure.message);
    log_if_ours(&status);
    status
}

/// The HTTP status and stable code of each kind of engine error.
fn http_of(kind: ErrorKind) -> (StatusCode, &'static str) {
    match kind {
        ErrorKind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_events"),
        ErrorKind::NotFound => (StatusCode::NOT_FOUND, "not_found"),
        ErrorKind::Conflict => (StatusCode::CONFLICT, "conflict"),
        ErrorKind::Unavailable | ErrorKind::Closed => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        ErrorKind::Exhausted => (StatusCode::TOO_MANY_REQUESTS, "memory_exhausted"),
        ErrorKind::Corrupt => (StatusCode::INTERNAL_SERVER_ERROR, "corrupt_data"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

/// The problem of an engine error.
pub(crate) fn engine_problem(error: &EngineError) -> Problem {
    let (status, code) = http_of(error.kind());
    let problem = Problem::new(status, code, error.to_string());
    match error.retry_ms() {
        Some(retry_ms) => problem.with_retry_after(retry_ms.div_ceil(1_000)),
        None if status == StatusCode::SERVICE_UNAVAILABLE => problem.with_retry_after(UNAVAILABLE_RETRY_S),
        _ => problem,
    }
}

/// The problem of a failed query.
pub(crate) fn query_problem(failure: &DataFusionError) -> Problem {
    let failure = classify(failure);
    let (status, code) = match failure.kind {
        QueryErrorKind::Invalid => (StatusCode::BAD_REQUEST, "invalid_sql"),
        QueryErrorKind::ResourcesExhausted => (StatusCode::TOO_MANY_REQUESTS, "memory_exhausted"),
        QueryErrorKind::Busy => (StatusCode::TOO_MANY_REQUESTS, "busy"),
        QueryErrorKind::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "timeout"),
        QueryErrorKind::OwnTimeOut => (StatusCode::REQUEST_TIMEOUT, "timeout"),
        QueryErrorKind::Engine(kind) => http_of(kind),
        QueryErrorKind::Cancelled => (StatusCode::SERVICE_UNAVAILABLE, "cancelled"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    };
    let problem = Problem::new(status, code, failure.message);
    match (status, code) {
        (_, "busy") => problem.with_retry_after(BUSY_RETRY_MS.div_ceil(1_000)),
        (StatusCode::TOO_MANY_REQUESTS, _) => problem.with_retry_after(QUERY_RETRY_MS.div_ceil(1_000)),
        (StatusCode::SERVICE_UNAVAILABLE, _) => problem.with_retry_after(UNAVAILABLE_RETRY_S),
        (StatusCode::GATEWAY_TIMEOUT, _) => problem.with_hint("ask for less"),
        (StatusCode::REQUEST_TIMEOUT, _) => problem.with_hint("ask for less, or give it more time"),
        _ => problem,
    }
}

/// Bugs and damage are logged where they leave the server; everything else is the caller's to read.
fn log_if_ours(status: &Status) {
    if matches!(status.code(), Code::Internal | Code::DataLoss) {
        tracing::error!(code = ?status.code(), "{}", status.message());
    }
}

/// RESOURCE_EXHAUSTED with the hint in both places where clients look: `RetryInfo` in the details, and the push-back header.
pub(crate) fn retry_later(message: String, retry_ms: u64) -> Status {
    let details = RpcStatus {
        code: Code::ResourceExhausted as i32,
        message: message.clone(),
        details: vec![RpcAny {
            type_url: RETRY_INFO_URL.to_owned(),
            value: RetryInfo { retry_delay: Some(RpcDuration::from_millis(retry_ms)) }.encode_to_vec(),
        }],
    };
    let mut headers = MetadataMap::new();
    headers.insert(RETRY_HEADER, retry_ms.into());
    let details = Bytes::from(details.encode_to_vec());
    Status::with_details_and_metadata(Code::ResourceExhausted, message, details, headers)
}

/// `google.rpc.Status`, which no dependency brings along.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<RpcAny>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct RpcAny {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<RpcDuration>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct RpcDuration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl RpcDuration {
    fn from_millis(millis: u64) -> Self {
        let nanos = i32::try_from((millis % 1_000) * 1_000_000).unwrap_or(0);
        Self { seconds: i64::try_from(millis / 1_000).unwrap_or(i64::MAX), nanos }
    }
}

/// Why a server did not start or did not stop cleanly. The text is one line that says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The configuration is refused.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The log filter cannot be read.
    #[error("{0}")]
    Log(String),
    /// The runtime could not be started.
    #[error("cannot start the runtime: {0}; check the limits on threads and open files (ulimit -a)")]
    Runtime(io::Error),
    /// The address is in use.
    #[error(
        "{what} cannot listen on {address}: the port is taken; stop the other process or choose another with {flag} (port 0: any free one)"
    )]
    PortTaken {
        /// Which listener.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// The flag that changes it.
        flag: &'static str,
    },
    /// The address cannot be bound for another reason.
    #[error("{what} cannot listen on {address}: {source}; choose another with {flag}")]
    Bind {
        /// Which listener.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// The flag that changes it.
        flag: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The data directory cannot be used.
    #[error("data directory {}: {advice}", path.display())]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// What is wrong and what to do.
        advice: String,
    },
    /// Certificate and key cannot be used.
    #[error("tls_cert, tls_key: {0}")]
    Tls(String),
    /// The file of users cannot be used.
    #[error("auth_file = '{}': {detail}", path.display())]
    AuthFile {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do; never a password.
        detail: String,
    },
    /// The engine did not open or close.
    #[error("{0}")]
    Engine(#[from] EngineError),
    /// A listener ended by itself.
    #[error("{what} stopped: {detail}")]
    Listener {
        /// Which listener.
        what: &'static str,
        /// Why.
        detail: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_code() {
        let table = [
            (ErrorKind::Invalid, Code::InvalidArgument),
            (ErrorKind::NotFound, Code::NotFound),
            (ErrorKind::Conflict, Code::Aborted),
            (ErrorKind::Unavailable, Code::Unavailable),
            (ErrorKind::Exhausted, Code::ResourceExhausted),
            (ErrorKind::Corrupt, Code::DataLoss),
            (ErrorKind::Closed, Code::Unavailable),
            (ErrorKind::Internal, Code::Internal),
        ];
        for (kind, code) in table {
            assert_eq!(code_of(kind), code, "{kind}");
        }
    }

    #[test]
    fn exhausted_carries_a_retry_hint() {
        let error = EngineError::Exhausted { requested: 1, by: "all", used: 2, limit: 3, retry_ms: 1_500 };
        let status = engine_status(&error);
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.metadata().get(RETRY_HEADER).unwrap(), "1500");
        let details = RpcStatus::decode(status.details()).unwrap();
        let hint = RetryInfo::decode(details.details[0].value.as_slice()).unwrap();
        assert_eq!(hint.retry_delay, Some(RpcDuration { seconds: 1, nanos: 500_000_000 }));
    }

    #[test]
    fn an_unknown_table_is_not_found_and_names_the_tables() {
        let error = EngineError::UnknownTable { name: "x".to_owned(), known: "events".to_owned() };
        let status = engine_status(&error);
        assert_eq!(status.code(), Code::NotFound);
        assert!(status.message().contains("events"));
    }
}
