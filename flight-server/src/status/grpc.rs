//! Errors as gRPC statuses, with a retry hint where there is one.

use bytes::Bytes;
use hexflight_engine::EngineError;
use hexflight_planner::{DataFusionError, classify};
use prost::Message;
use tonic::{Code, Status, metadata::MetadataMap};

use super::table::{of_engine, of_query};

/// Header with the milliseconds after which a refused caller should come back. gRPC's own name for it.
const RETRY_HEADER: &str = "grpc-retry-pushback-ms";

/// Type of the retry hint in `grpc-status-details-bin`.
const RETRY_INFO_URL: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// The status of an engine error: its code, its text, and when to come back if a limit was hit.
pub(crate) fn engine_status(error: &EngineError) -> Status {
    status(of_engine(error.kind()).grpc, error.to_string(), error.retry_ms())
}

/// The status of a failed query.
pub(crate) fn query_status(failure: &DataFusionError) -> Status {
    let failure = classify(failure);
    let row = of_query(failure.kind);
    status(row.grpc, failure.message, row.retry_ms)
}

/// Bugs and damage are logged where they leave the server; everything else is the caller's to read.
fn status(code: Code, message: String, retry_ms: Option<u64>) -> Status {
    if let Some(retry_ms) = retry_ms {
        return retry_later(message, retry_ms);
    }
    if matches!(code, Code::Internal | Code::DataLoss) {
        tracing::error!(?code, "{message}");
    }
    Status::new(code, message)
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

#[cfg(test)]
mod tests {
    use hexflight_engine::ErrorKind;

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
            assert_eq!(of_engine(kind).grpc, code, "{kind}");
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
