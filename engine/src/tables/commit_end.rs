//! `CommitEnd`: what became of a change with files, and so of the files.

use std::sync::Arc;

use super::Table;
use crate::{
    delta::{Change, DataFile, TableState},
    error::{EngineError, ErrorKind},
};

/// How the commit of a change with files ended.
#[derive(Debug)]
pub(crate) enum CommitEnd {
    /// It is in the table, with this state or a later one.
    Committed(Arc<TableState>),
    /// It is not, and never will be: its files are nobody's.
    Refused(EngineError),
    /// It may come to light later: its files must be there then.
    Unknown(EngineError),
}

impl CommitEnd {
    /// Commits a change; one whose answer was lost counts as committed when the newest version names its files.
    pub(crate) async fn of(table: &Table, change: &Change<'_>) -> Self {
        match table.commit(change).await {
            Ok(state) => Self::Committed(state),
            // The names of files are never used twice.
            Err(_) if is_part_of(&table.view.snapshot().table, change.files) => {
                Self::Committed(Arc::clone(&table.view.snapshot().table))
            }
            Err(error) if error.kind() == ErrorKind::Conflict => Self::Refused(error),
            Err(error) => Self::Unknown(error),
        }
    }
}

fn is_part_of(state: &TableState, files: &[DataFile]) -> bool {
    let first = files.first().map(|file| &file.location);
    first.is_some_and(|first| state.files().iter().any(|file| file.location == *first))
}
