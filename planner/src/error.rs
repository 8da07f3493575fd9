//! What a failed query means to its caller: one kind and one clean sentence, found under DataFusion's layers of wrapping.

use std::{error::Error, fmt};

use arrow::error::ArrowError;
use datafusion::{error::DataFusionError, parquet::errors::ParquetError};
use hexflight_engine::{EngineError, ErrorKind};

/// What to do about a failed query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryErrorKind {
    /// The statement, its parameters or the data it computes on are wrong: fix the query.
    Invalid,
    /// The query needs more memory or disk than it may have now.
    ResourcesExhausted,
    /// The engine or its store failed; the kind says what to do.
    Engine(ErrorKind),
    /// The query was stopped before its end.
    Cancelled,
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
        Self { kind, message: clean(&message.into()) }
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
        DataFusionError::ResourcesExhausted(text) => QueryError::new(ResourcesExhausted, text),
        DataFusionError::ObjectStore(inner) => {
            QueryError::new(Engine(ErrorKind::Unavailable), inner.to_string())
        }
        DataFusionError::IoError(inner) => QueryError::new(Engine(ErrorKind::Unavailable), inner.to_string()),
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
        ArrowError::DivideByZero => QueryError::new(QueryErrorKind::Invalid, DIVISION_BY_ZERO),
        other => QueryError::new(QueryErrorKind::Internal, other.to_string()),
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
    let text = message.split("\n\nbacktrace:").next().unwrap_or(message);
    let mut text = text.trim();
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        text = rest.trim_start();
    }
    text.replace('\n', " ")
}

/// Prefixes of DataFusion's and Arrow's error texts; the kind says what they say.
const PREFIXES: [&str; 9] = [
    "External error: ",
    "Error during planning: ",
    "Execution error: ",
    "Arrow error: ",
    "Parquet error: ",
    "Compute error: ",
    "Cast error: ",
    "Parser error: ",
    "Resources exhausted: ",
];
