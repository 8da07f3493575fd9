//! `Rejects`: the rows that were left out: counted, kept in part, and written to a file if one was named.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use hexflight_engine::BadRow;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::error::ImportError;

/// Rejects that are kept for an answer.
pub(crate) const KEPT_MAX: usize = 100;

/// A row that was left out, and the file it is from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reject {
    pub(crate) file: String,
    pub(crate) bad: BadRow,
}

impl Reject {
    /// `{"file", "row", "column", "value", "rule"}`; a row that is bad as a whole has no column.
    pub(crate) fn to_json(&self) -> Value {
        let BadRow { row, column, value, rule } = &self.bad;
        let column = Some(column).filter(|column| !column.is_empty());
        json!({ "file": self.file, "row": row, "column": column, "value": value, "rule": rule })
    }
}

/// Takes rejects from several readers at once.
#[derive(Debug, Default)]
pub(crate) struct Rejects {
    path: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    count: u64,
    kept: Vec<Reject>,
    /// Made for the first reject: an import without any leaves no file.
    file: Option<BufWriter<File>>,
}

impl Rejects {
    /// Writes them to a file, in place of what was there.
    pub(crate) fn into_file(path: &Path) -> Self {
        Self { path: Some(path.to_owned()), state: Mutex::default() }
    }

    /// How many there were.
    pub(crate) async fn count(&self) -> u64 {
        self.state.lock().await.count
    }

    /// The first of them.
    pub(crate) async fn kept(&self) -> Vec<Reject> {
        self.state.lock().await.kept.clone()
    }

    /// Adds rows of a file.
    ///
    /// # Errors
    /// `Io` when they cannot be written.
    pub(crate) async fn add(&self, file: &str, bad: Vec<BadRow>) -> Result<(), ImportError> {
        let mut state = self.state.lock().await;
        state.count += bad.len() as u64;
        let rejects = bad.into_iter().map(|bad| Reject { file: file.to_owned(), bad });
        let Some(path) = &self.path else {
            let room = KEPT_MAX.saturating_sub(state.kept.len());
            state.kept.extend(rejects.take(room));
            return Ok(());
        };
        let failed =
            |source| ImportError::Io { action: format!("write the rejects to {}", path.display()), source };
        if state.file.is_none() {
            state.file = Some(BufWriter::new(File::create(path).map_err(failed)?));
        }
        if let Some(file) = &mut state.file {
            for reject in rejects {
                writeln!(file, "{}", reject.to_json()).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Makes sure that all are written.
    ///
    /// # Errors
    /// `Io` when they cannot be.
    pub(crate) async fn flush(&self) -> Result<(), ImportError> {
        let mut state = self.state.lock().await;
        let flushed = state.file.as_mut().map_or(Ok(()), Write::flush);
        flushed.map_err(|source| ImportError::Io { action: "write the rejects".to_owned(), source })
    }
}
