//! `ImportError`: why an import stopped. Every text names the file, and as far as they are known the row, the column, the value
//! and the rule.

use std::io;

use hexflight_engine::{BadRow, EngineError};

use crate::client::ClientError;

/// Why nothing was loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A path, pattern or address names nothing that can be imported.
    #[error("{path}: {rule}")]
    Path {
        /// What was given.
        path: String,
        /// What would be right.
        rule: String,
    },
    /// A file cannot be read, or does not fit the table.
    #[error("{file}: {reason}")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it, with the column and the type found where it is one column's fault.
        reason: String,
    },
    /// A row breaks a rule.
    #[error("{file}: {}", row_text(.bad))]
    Row {
        /// The file.
        file: String,
        /// The row, numbered within the file from 0, a header not counted.
        bad: Box<BadRow>,
    },
    /// The engine refused or failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The server refused or could not be reached.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A file of our own could not be written: scratch or rejects.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another process holds the data directory.
    #[error(
        "{path}: a server holds this data directory; load through it: hexflight import --target URL, with the address it listens on"
    )]
    Held {
        /// The data directory.
        path: String,
    },
    /// Rows were found that an import would refuse.
    #[error("{rows} rows in {files} files break a rule; --on-error skip would leave them out")]
    Checked {
        /// Bad rows.
        rows: u64,
        /// Files that have some.
        files: usize,
    },
    /// Files were found that cannot be imported.
    #[error("{files} of {total} files cannot be imported")]
    Unreadable {
        /// Files that cannot.
        files: usize,
        /// Files that were looked at.
        total: usize,
    },
    /// The file that rejects should go to is there already.
    #[error(
        "--rejects {path}: it exists and is not overwritten; name another file, or leave --rejects out for one with a number"
    )]
    Exists {
        /// The file.
        path: String,
    },
    /// There were rows, and all of them break a rule.
    #[error("nothing was loaded: all {rejected} rows were rejected{listed}")]
    AllRejected {
        /// Rows that were left out.
        rejected: u64,
        /// Where they are listed, as the end of the sentence.
        listed: String,
    },
    /// The user stopped it.
    #[error("interrupted: nothing was loaded")]
    Interrupted,
    /// The user stopped it in the last step.
    #[error(
        "interrupted while committing; the load may have become visible. Run the command again: what was loaded is skipped"
    )]
    InterruptedCommit,
}

impl ImportError {
    /// A file that cannot be imported, and why.
    pub(crate) fn file(file: &str, reason: impl Into<String>) -> Self {
        Self::File { file: file.to_owned(), reason: reason.into() }
    }
}

/// A bad row as a sentence; one that is bad as a whole has no column.
pub(crate) fn row_text(bad: &BadRow) -> String {
    let BadRow { row, column, value, rule } = bad;
    if column.is_empty() {
        format!("row {row}: {value} {rule}")
    } else {
        format!("row {row}: column '{column}': {value} {rule}")
    }
}
