//! The only table from what went wrong to gRPC codes, HTTP statuses and the stable codes of problems: one row per kind. A new kind does not
//! compile without one.

use axum::http::StatusCode;
use hexflight_engine::ErrorKind;
use hexflight_planner::QueryErrorKind;
use tonic::Code;

/// When a query that found no memory is told to come back. **Units**: ms.
const QUERY_RETRY_MS: u64 = 1_000;

/// When a query that waited in vain for its turn is told to come back. **Units**: ms.
const BUSY_RETRY_MS: u64 = 5_000;

/// How both protocols say one kind of error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) grpc: Code,
    pub(super) http: StatusCode,
    /// `code` of a problem; it does not change between versions.
    pub(super) slug: &'static str,
    /// When to come back, where the kind alone says so. **Units**: ms.
    pub(super) retry_ms: Option<u64>,
}

const fn row(grpc: Code, http: StatusCode, slug: &'static str) -> Row {
    Row { grpc, http, slug, retry_ms: None }
}

/// The row of each kind of engine error.
pub(super) fn of_engine(kind: ErrorKind) -> Row {
    match kind {
        ErrorKind::Invalid => row(Code::InvalidArgument, StatusCode::UNPROCESSABLE_ENTITY, "invalid_events"),
        ErrorKind::NotFound => row(Code::NotFound, StatusCode::NOT_FOUND, "not_found"),
        ErrorKind::Conflict => row(Code::Aborted, StatusCode::CONFLICT, "conflict"),
        ErrorKind::Unavailable | ErrorKind::Closed => {
            row(Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        }
        ErrorKind::Exhausted => {
            row(Code::ResourceExhausted, StatusCode::TOO_MANY_REQUESTS, "memory_exhausted")
        }
        ErrorKind::Corrupt => row(Code::DataLoss, StatusCode::INTERNAL_SERVER_ERROR, "corrupt_data"),
        ErrorKind::Internal => row(Code::Internal, StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

/// The row of each kind of failed query.
pub(super) fn of_query(kind: QueryErrorKind) -> Row {
    let retry = |retry_ms, row| Row { retry_ms: Some(retry_ms), ..row };
    match kind {
        QueryErrorKind::Invalid => row(Code::InvalidArgument, StatusCode::BAD_REQUEST, "invalid_sql"),
        QueryErrorKind::ResourcesExhausted => retry(
            QUERY_RETRY_MS,
            row(Code::ResourceExhausted, StatusCode::TOO_MANY_REQUESTS, "memory_exhausted"),
        ),
        QueryErrorKind::Busy => {
            retry(BUSY_RETRY_MS, row(Code::ResourceExhausted, StatusCode::TOO_MANY_REQUESTS, "busy"))
        }
        QueryErrorKind::TimedOut => row(Code::DeadlineExceeded, StatusCode::GATEWAY_TIMEOUT, "timeout"),
        QueryErrorKind::OwnTimeOut => row(Code::DeadlineExceeded, StatusCode::REQUEST_TIMEOUT, "timeout"),
        QueryErrorKind::Engine(kind) => of_engine(kind),
        QueryErrorKind::Cancelled => row(Code::Cancelled, StatusCode::SERVICE_UNAVAILABLE, "cancelled"),
        QueryErrorKind::Internal => row(Code::Internal, StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}
