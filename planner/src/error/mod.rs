//! What a failed query means to its caller: one kind and one clean sentence, found under DataFusion's layers of wrapping.
//!
//! Servers and the log of queries ask it. If you add a kind, the servers' `status/table.rs` needs a row.

mod functions;
mod intervals;
mod plain_words;

use std::{error::Error, fmt, io};

use arrow::error::ArrowError;
use datafusion::{error::DataFusionError, parquet::errors::ParquetError};
use hexflight_engine::{EngineError, ErrorKind};

use intervals::with_plain_intervals;
use plain_words::plain_words;

use crate::{admission::Busy, turn::StopReason};

/// What to do about a failed query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryErrorKind {
    /// The statement, its parameters or the data it computes on are wrong: fix the query.
    Invalid,
    /// The query needs more memory or disk than it may have now.
    ResourcesExhausted,
    /// The engine or its store failed; the kind says what to do.
    Engine(ErrorKind),
    /// The query was stopped before its end.
    Cancelled,
    /// Too many queries run and wait: come back later.
    Busy,
    /// The query took longer than the server lets any query take.
    TimedOut,
    /// The query took longer than its client wanted to wait.
    OwnTimeOut,
    /// A bug, of ours or of a library.
    Internal,
}

/// A failed query, as its caller should see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    /// What to do about it.
    pub kind: QueryErrorKind,
    /// One sentence without backtraces and prefixes.
    pub message: String,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl QueryError {
    fn new(kind: QueryErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: with_plain_intervals(&clean(&message.into())) }
    }
}

/// Finds the cause of an error and says what it means.
#[must_use]
pub fn classify(error: &DataFusionError) -> QueryError {
    use QueryErrorKind::{Cancelled, Engine, Internal, Invalid, ResourcesExhausted};
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => classify(inner),
        DataFusionError::Shared(inner) => classify(inner),
        DataFusionError::Collection(errors) => errors
            .first()
            .map_or_else(|| QueryError::new(Internal, "an empty collection of errors"), classify),
        DataFusionError::External(inner) => classify_source(inner.as_ref()),
        DataFusionError::ArrowError(inner, _) => classify_arrow(inner),
        DataFusionError::ParquetError(inner) => classify_parquet(inner),
        DataFusionError::SQL(inner, _) => QueryError::new(Invalid, inner.to_string()),
        DataFusionError::SchemaError(inner, _) => QueryError::new(Invalid, inner.to_string()),
        DataFusionError::NotImplemented(text) => QueryError::new(Invalid, format!("not supported: {text}")),
        DataFusionError::Plan(text)
        | DataFusionError::Configuration(text)
        | DataFusionError::Execution(text) => QueryError::new(Invalid, text),
        DataFusionError::ResourcesExhausted(text) if text.contains(SPILL_REFUSED) => {
            QueryError::new(ResourcesExhausted, NO_SPILL)
        }
        DataFusionError::ResourcesExhausted(text) => QueryError::new(ResourcesExhausted, text),
        DataFusionError::ObjectStore(inner) => {
            QueryError::new(Engine(ErrorKind::Unavailable), inner.to_string())
        }
        DataFusionError::IoError(inner) => classify_io(inner),
        DataFusionError::ExecutionJoin(join) if join.is_cancelled() => {
            QueryError::new(Cancelled, "the query was stopped")
        }
        DataFusionError::ExecutionJoin(join) => QueryError::new(Internal, join.to_string()),
        other => QueryError::new(Internal, other.strip_backtrace()),
    }
}

/// Errors of other crates travel boxed; ours are looked for by type, all the way down.
fn classify_source(error: &(dyn Error + Send + Sync + 'static)) -> QueryError {
    if let Some(inner) = error.downcast_ref::<DataFusionError>() {
        classify(inner)
    } else if let Some(inner) = error.downcast_ref::<EngineError>() {
        QueryError::new(QueryErrorKind::Engine(inner.kind()), inner.to_string())
    } else if let Some(reason) = error.downcast_ref::<StopReason>() {
        QueryError::new(kind_of(reason), reason.to_string())
    } else if let Some(busy) = error.downcast_ref::<Busy>() {
        QueryError::new(QueryErrorKind::Busy, busy.to_string())
    } else if let Some(inner) = error.downcast_ref::<ArrowError>() {
        classify_arrow(inner)
    } else if let Some(inner) = error.downcast_ref::<ParquetError>() {
        classify_parquet(inner)
    } else if let Some(inner) = error.downcast_ref::<object_store::Error>() {
        QueryError::new(QueryErrorKind::Engine(ErrorKind::Unavailable), inner.to_string())
    } else {
        QueryError::new(QueryErrorKind::Internal, error.to_string())
    }
}

fn kind_of(reason: &StopReason) -> QueryErrorKind {
    match reason {
        StopReason::Cancelled | StopReason::ShuttingDown => QueryErrorKind::Cancelled,
        StopReason::ServerLimit(_) => QueryErrorKind::TimedOut,
        StopReason::OwnLimit(..) => QueryErrorKind::OwnTimeOut,
        StopReason::Memory(_) => QueryErrorKind::ResourcesExhausted,
    }
}

/// Arrow computes what the query asked for: a value that cannot be computed is the query's fault.
fn classify_arrow(error: &ArrowError) -> QueryError {
    match error {
        ArrowError::ExternalError(inner) => classify_source(inner.as_ref()),
        ArrowError::ComputeError(text) if text.contains(FILTER_FAILED) => {
            QueryError::new(QueryErrorKind::Invalid, filter_failure(text))
        }
        ArrowError::CastError(text)
        | ArrowError::ParseError(text)
        | ArrowError::ComputeError(text)
        | ArrowError::ArithmeticOverflow(text)
        | ArrowError::InvalidArgumentError(text) => QueryError::new(QueryErrorKind::Invalid, text),
        ArrowError::IoError(_, inner) => classify_io(inner),
        ArrowError::DivideByZero => QueryError::new(QueryErrorKind::Invalid, DIVISION_BY_ZERO),
        other => QueryError::new(QueryErrorKind::Internal, other.to_string()),
    }
}

/// Queries write only what they spill. An error that went through other hands has lost its kind.
fn classify_io(error: &io::Error) -> QueryError {
    let text = error.to_string();
    let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        || text.contains("No space left on device");
    if is_full {
        QueryError::new(QueryErrorKind::ResourcesExhausted, format!("{NO_SPACE}: {text}"))
    } else {
        QueryError::new(QueryErrorKind::Engine(ErrorKind::Unavailable), text)
    }
}

/// A filter that fails inside the Parquet reader arrives as the text of its error; anything else there is about the file.
fn classify_parquet(error: &ParquetError) -> QueryError {
    match error {
        ParquetError::External(inner) => classify_source(inner.as_ref()),
        ParquetError::ArrowError(text) if text.contains(FILTER_FAILED) => {
            QueryError::new(QueryErrorKind::Invalid, filter_failure(text))
        }
        other => QueryError::new(QueryErrorKind::Engine(ErrorKind::Corrupt), other.to_string()),
    }
}

/// What DataFusion says when memory is used up and nothing may be written to disk.
const SPILL_REFUSED: &str = "DiskManager is disabled";

const NO_SPILL: &str =
    "the query needs more memory than is left for queries, and there is no directory to spill to";

const NO_SPACE: &str =
    "the query needs more memory than is left for queries, and the disk has no space for what it spills";

const DIVISION_BY_ZERO: &str = "division by zero";

/// How DataFusion's row filter starts the text of an error.
const FILTER_FAILED: &str = "Error evaluating filter predicate";

/// Takes the message out of the debug form that DataFusion's row filter makes of an error.
fn filter_failure(text: &str) -> String {
    if text.contains("DivideByZero") {
        return DIVISION_BY_ZERO.to_owned();
    }
    text.split_once('"')
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or_else(|| text.to_owned(), |(message, _)| message.to_owned())
}

/// Cuts a backtrace and the prefixes that wrappers put before their cause.
fn clean(message: &str) -> String {
    let before = |text: &'_ str, mark: &str| text.find(mark).unwrap_or(text.len());
    let end = before(message, BACKTRACE).min(before(message, BUG_REPORT));
    let mut text = message[..end].trim();
    if let Some((_, rest)) = message.split_once(NO_FUNCTION) {
        let sentence = rest.split('\n').next().unwrap_or(rest);
        return format!("no function matches{sentence}");
    }
    if let Some(sentence) = plain_words(text) {
        return sentence;
    }
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        text = rest.trim_start();
    }
    text.replace('\n', " ")
}

const BACKTRACE: &str = "\n\nbacktrace:";

/// What DataFusion appends to errors that it holds for its own.
const BUG_REPORT: &str = "\nThis issue was likely caused by";

/// Where, behind many attempts, a failed look-up of a function says what was wrong.
const NO_FUNCTION: &str = "No function matches";

/// Prefixes of DataFusion's and Arrow's error texts; the kind says what they say.
const PREFIXES: [&str; 10] = [
    "External error: ",
    "Internal error: ",
    "Error during planning: ",
    "Execution error: ",
    "Arrow error: ",
    "Parquet error: ",
    "Compute error: ",
    "Cast error: ",
    "Parser error: ",
    "Resources exhausted: ",
];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn engine_errors_are_found_under_any_wrapping() {
        let closed = || DataFusionError::External(Box::new(EngineError::Closed));
        let wrapped = [
            closed(),
            closed().context("while scanning"),
            DataFusionError::Shared(Arc::new(closed())),
            DataFusionError::ArrowError(Box::new(ArrowError::ExternalError(Box::new(closed()))), None),
            DataFusionError::External(Box::new(closed())),
            ParquetError::External(Box::new(closed())).into(),
        ];
        for error in wrapped {
            let found = classify(&error);
            assert_eq!(found.kind, QueryErrorKind::Engine(ErrorKind::Closed), "{error}");
            assert_eq!(found.message, "the engine is shutting down");
        }
    }

    #[test]
    fn a_failed_store_is_unavailable_and_a_broken_file_corrupt() {
        let lost = object_store::Error::NotFound { path: "a.parquet".into(), source: "gone".into() };
        let lost = classify(&DataFusionError::ObjectStore(Box::new(lost)));
        assert_eq!(lost.kind, QueryErrorKind::Engine(ErrorKind::Unavailable));
        let broken = classify(&ParquetError::General("bad magic".into()).into());
        assert_eq!(broken.kind, QueryErrorKind::Engine(ErrorKind::Corrupt));
    }

    #[test]
    fn a_full_disk_has_no_space_to_spill() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let passed_on = io::Error::other(ArrowError::IoError("No space left on device".into(), full()));
        for error in [
            DataFusionError::IoError(full()),
            ArrowError::IoError("write".into(), full()).into(),
            DataFusionError::IoError(passed_on),
        ] {
            let found = classify(&error);
            assert_eq!(found.kind, QueryErrorKind::ResourcesExhausted);
            assert!(found.message.contains("no space for what it spills"), "{found}");
        }
    }

    #[test]
    fn prefixes_and_backtraces_are_cut() {
        let error =
            DataFusionError::Plan("Error during planning: no such column\n\nbacktrace: 0: main".into());
        assert_eq!(classify(&error).message, "no such column");
        let error = DataFusionError::Internal("broken.\nThis issue was likely caused by a bug".into());
        assert_eq!(classify(&error), QueryError::new(QueryErrorKind::Internal, "broken."));
    }
}
