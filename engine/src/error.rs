//! The one error type of the engine; `kind()` tells a caller what to do about it. Nothing here formats for a protocol:
//! the server owns the table from kind to gRPC code and HTTP status.

use std::{fmt, io, time::Duration};

/// Result of an engine call.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

/// What the caller should do about an [`EngineError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is wrong: fix it.
    Invalid,
    /// The named object does not exist.
    NotFound,
    /// Somebody else was first: reload and try again.
    Conflict,
    /// Try again later.
    Unavailable,
    /// A limit is reached: back off, then try again.
    Exhausted,
    /// Stored bytes are not what was written: stop and report.
    Corrupt,
    /// The engine is shutting down.
    Closed,
    /// A bug of ours.
    Internal,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not found",
            Self::Conflict => "conflict",
            Self::Unavailable => "unavailable",
            Self::Exhausted => "exhausted",
            Self::Corrupt => "corrupt",
            Self::Closed => "closed",
            Self::Internal => "internal",
        })
    }
}

/// Row numbers that the text of an error lists.
const ROWS_LISTED_MAX: usize = 3;

/// A row that breaks a rule of its table. `value` and `rule`, read one after the other, are a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Number of the row in its batch, from 0.
    pub row: usize,
    /// The column, as the producer named it; a field of a struct as `location.latitude`.
    pub column: String,
    /// What was found, shortened.
    pub value: String,
    /// The rule, for example `is not in [-90, 90]`.
    pub rule: String,
}

/// The rows of one batch that break one rule of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRows {
    /// The first of them, at least one, in order.
    pub rows: Vec<BadRow>,
    /// All of them.
    pub count: usize,
}

impl fmt::Display for BadRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(BadRow { row, column, value, rule }) = self.rows.first() else {
            return write!(f, "{} bad rows", self.count);
        };
        let listed = self.rows.iter().take(ROWS_LISTED_MAX).map(|bad| bad.row.to_string());
        let listed = listed.collect::<Vec<_>>().join(", ");
        let plural = if self.count == 1 { "" } else { "s" };
        let more = if self.count > ROWS_LISTED_MAX { ", ..." } else { "" };
        let count = self.count;
        write!(f, "column '{column}': row {row}: {value} {rule} ({count} bad row{plural}: {listed}{more})")
    }
}

/// Everything that can go wrong in the engine, with the evidence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A batch breaks a rule of its table; nothing of it was kept.
    #[error("{0}")]
    InvalidBatch(String),
    /// Rows of a batch break a rule of its table; nothing of the batch was kept.
    #[error("{0}")]
    InvalidRows(BadRows),
    /// No table has this name.
    #[error("table '{name}' does not exist; tables: {known}")]
    UnknownTable {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A setting is outside its range.
    #[error("{0}")]
    InvalidOption(String),
    /// Another process holds the data directory.
    #[error(
        "{path}: another hexflight process holds this data directory; stop it or choose another --data-dir"
    )]
    Locked {
        /// The lock file.
        path: String,
    },
    /// The file system or object store failed.
    #[error("{operation} {path}: {source}")]
    Store {
        /// What was tried.
        operation: &'static str,
        /// The object.
        path: String,
        /// The store's own error.
        source: object_store::Error,
    },
    /// A local file operation failed.
    #[error("{operation} {path}: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: String,
        /// The system's own error.
        source: io::Error,
    },
    /// A persisted object does not hold what was written.
    #[error("{path}: {detail}")]
    Corrupt {
        /// The object.
        path: String,
        /// Which check failed, stored and computed value.
        detail: String,
    },
    /// Another process has fenced this stream: what is unacknowledged was not kept under it.
    #[error("stream {stream} is fenced at sequence {sequence}; send the batch again")]
    Fenced {
        /// The fenced stream.
        stream: String,
        /// The first sequence that was refused.
        sequence: u64,
    },
    /// The store refuses the write-ahead log's objects.
    #[error(
        "the write-ahead log cannot be written: {failure}; free space or mend the store, then send the batch again"
    )]
    WalStalled {
        /// The newest failure.
        failure: String,
    },
    /// The engine was opened only to read.
    #[error("the data directory is open for reading only; start a server on it to write")]
    ReadOnly,
    /// Somebody else committed what this commit expected to be first in.
    #[error("table {table}: {detail}")]
    Conflict {
        /// The table.
        table: String,
        /// What was expected and what was found.
        detail: String,
    },
    /// A bulk load failed before: nothing of it is kept.
    #[error("the load has failed: {detail}")]
    LoadFailed {
        /// What stopped it.
        detail: String,
    },
    /// A share of memory is used up and did not free in time.
    #[error(
        "memory is short: {requested} bytes requested, {used} of {limit} in use by {by}; retry in {retry_ms} ms"
    )]
    Exhausted {
        /// Bytes asked for.
        requested: usize,
        /// Who shares what is short, and its setting.
        by: &'static str,
        /// Bytes that they use.
        used: usize,
        /// Bytes that they may use.
        limit: usize,
        /// When to try again.
        retry_ms: u64,
    },
    /// A batch found its way to the write-ahead log blocked for too long; nothing of it is kept.
    #[error("the batch waited longer than {waited:?} (append_wait) for {step}; retry in {retry_ms} ms")]
    Delayed {
        /// What it waited for.
        step: &'static str,
        /// How long it may wait.
        waited: Duration,
        /// When to try again.
        retry_ms: u64,
    },
    /// The engine no longer takes writes.
    #[error("the engine is shutting down")]
    Closed,
    /// Arrow refused an operation on data that we made: a bug.
    #[error("arrow: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// Parquet refused an operation on data that we made: a bug.
    #[error("parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// A background task died: a bug.
    #[error("background task {task} failed: {detail}")]
    Task {
        /// Its name.
        task: &'static str,
        /// How it ended.
        detail: String,
    },
}

/// Whether a system's error means that there is no space.
pub(crate) fn is_out_of_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl EngineError {
    /// Whether it comes of a disk without space.
    #[must_use]
    pub fn is_storage_full(&self) -> bool {
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = source {
            if error.downcast_ref::<io::Error>().is_some_and(is_out_of_space) {
                return true;
            }
            source = error.source();
        }
        false
    }

    /// What is wrong with a stored object, without its name.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Corrupt { detail, .. } => detail.clone(),
            error => error.to_string(),
        }
    }

    /// When the caller may try again, where a limit was hit. **Units**: ms.
    #[must_use]
    pub fn retry_ms(&self) -> Option<u64> {
        match self {
            Self::Exhausted { retry_ms, .. } | Self::Delayed { retry_ms, .. } => Some(*retry_ms),
            _ => None,
        }
    }

    /// Tells the caller what to do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::InvalidBatch(_) | Self::InvalidRows(_) | Self::InvalidOption(_) => ErrorKind::Invalid,
            Self::UnknownTable { .. } => ErrorKind::NotFound,
            Self::Locked { .. }
            | Self::Store { .. }
            | Self::Io { .. }
            | Self::Fenced { .. }
            | Self::WalStalled { .. }
            | Self::ReadOnly
            | Self::LoadFailed { .. } => ErrorKind::Unavailable,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Conflict { .. } => ErrorKind::Conflict,
            Self::Exhausted { .. } | Self::Delayed { .. } => ErrorKind::Exhausted,
            Self::Closed => ErrorKind::Closed,
            Self::Arrow(_) | Self::Parquet(_) | Self::Task { .. } => ErrorKind::Internal,
        }
    }
}
