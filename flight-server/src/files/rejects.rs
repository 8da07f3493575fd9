//! `Rejects`: the rows that were left out: counted, kept in part, and written to a file if one was named.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
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

/// Names of files of rejects, the first of which that is free is taken: `rejects.ndjson`, `rejects-1.ndjson`, ...
const NAME: &str = "rejects";
const ENDING: &str = "ndjson";

/// Files of rejects that may lie in one folder.
const NUMBER_MAX: usize = 100_000;

/// Where rejects are written: a file that is not there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RejectsFile {
    /// As the user named it.
    Named(PathBuf),
    /// In the working folder, under a name that is free.
    Usual,
}

impl RejectsFile {
    /// A file under a name that is free.
    pub(crate) fn usual() -> Self {
        Self::Usual
    }

    /// The file of this name. A pipe or a device has nothing to lose.
    ///
    /// # Errors
    /// `Exists` when it is there.
    pub(crate) fn named(path: &Path) -> Result<Self, ImportError> {
        match path.symlink_metadata() {
            Ok(_) if !is_device(path) => Err(ImportError::Exists { path: path.display().to_string() }),
            _ => Ok(Self::Named(path.to_owned())),
        }
    }

    /// Creates it. It may have come to be since it was looked for.
    fn create(&self) -> io::Result<(PathBuf, File)> {
        let new = |path: &Path| File::options().write(true).create_new(true).open(path);
        match self {
            Self::Named(path) if is_device(path) => {
                File::options().write(true).open(path).map(|file| (path.clone(), file))
            }
            Self::Named(path) => new(path).map(|file| (path.clone(), file)),
            Self::Usual => {
                let first = std::iter::once(format!("{NAME}.{ENDING}"));
                let names = first.chain((1..NUMBER_MAX).map(|number| format!("{NAME}-{number}.{ENDING}")));
                for name in names {
                    let path = PathBuf::from(name);
                    match new(&path) {
                        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                        created => return created.map(|file| (path, file)),
                    }
                }
                Err(io::Error::other(format!("{NAME}-1.{ENDING} and {NUMBER_MAX} more are there already")))
            }
        }
    }
}

/// Whether a file in a folder of data is one that a load before this has left: its lines were refused once.
pub(crate) fn is_ours(name: &str) -> bool {
    let number = name.strip_prefix(NAME).and_then(|rest| rest.strip_suffix(ENDING)?.strip_suffix('.'));
    let is_number =
        |number: &str| number.strip_prefix('-').is_some_and(|digits| digits.parse::<u32>().is_ok());
    number.is_some_and(|number| number.is_empty() || is_number(number))
}

fn is_device(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// Takes rejects from several readers at once.
#[derive(Debug, Default)]
pub(crate) struct Rejects {
    target: Option<RejectsFile>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    count: u64,
    kept: Vec<Reject>,
    /// Made for the first reject: an import without any leaves no file.
    file: Option<(PathBuf, BufWriter<File>)>,
}

impl Rejects {
    /// Writes them to a file.
    pub(crate) fn into_file(target: RejectsFile) -> Self {
        Self { target: Some(target), state: Mutex::default() }
    }

    /// The file that was made for them.
    pub(crate) async fn path(&self) -> Option<PathBuf> {
        self.state.lock().await.file.as_ref().map(|(path, _)| path.clone())
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
        let Some(target) = &self.target else {
            let room = KEPT_MAX.saturating_sub(state.kept.len());
            state.kept.extend(rejects.take(room));
            return Ok(());
        };
        if state.file.is_none() {
            let (path, file) = target.create().map_err(|source| {
                let name =
                    if let RejectsFile::Named(path) = target { path.as_path() } else { Path::new(NAME) };
                ImportError::Io { action: format!("write the rejects to {}", name.display()), source }
            })?;
            state.file = Some((path, BufWriter::new(file)));
        }
        if let Some((path, file)) = &mut state.file {
            for reject in rejects {
                writeln!(file, "{}", reject.to_json()).map_err(|source| ImportError::Io {
                    action: format!("write the rejects to {}", path.display()),
                    source,
                })?;
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
        let flushed = state.file.as_mut().map_or(Ok(()), |(_, file)| file.flush());
        flushed.map_err(|source| ImportError::Io { action: "write the rejects".to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_a_load_gives_are_passed_over() {
        for name in ["rejects.ndjson", "rejects-1.ndjson", "rejects-99.ndjson"] {
            assert!(is_ours(name), "{name}");
        }
        for name in [
            "rejects",
            "rejects.csv",
            "rejects-.ndjson",
            "rejects-a.ndjson",
            "my-rejects.ndjson",
            "rejectsndjson",
        ] {
            assert!(!is_ours(name), "{name}");
        }
    }

    #[test]
    fn a_file_that_is_there_is_not_named_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad.ndjson");
        let (created, _) = RejectsFile::named(&path).unwrap().create().unwrap();
        assert_eq!(created, path);
        let refused = RejectsFile::named(&path).unwrap_err().to_string();
        assert!(refused.contains("bad.ndjson") && refused.contains("exists"), "{refused}");
        // It came to be after the look.
        assert_eq!(RejectsFile::Named(path).create().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(RejectsFile::named(Path::new("/dev/null")).unwrap().create().is_ok());
    }
}
