//! `Source`: a file to import, found by a path, a pattern, a folder or an address, and not opened yet.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use object_store::{ObjectStore, path::Path as ObjectPath};

use super::{error::ImportError, file::FileFormat, rejects, remote, text::Compression};

/// Folders inside folders: far deeper than anybody sorts files, and an end to loops of links.
const DEPTH_MAX: usize = 64;

/// Folder of a Delta table's log: beside it lie files that the table has replaced, too.
const DELTA_LOG: &str = "_delta_log";

/// A file that was found.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The name by which the user knows it.
    pub(crate) name: String,
    pub(crate) format: FileFormat,
    pub(crate) compression: Compression,
    pub(crate) bytes: u64,
    pub(crate) place: SourcePlace,
}

/// Where a file is.
#[derive(Debug, Clone)]
pub(crate) enum SourcePlace {
    Local(PathBuf),
    Remote(Arc<dyn ObjectStore>, ObjectPath),
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) sources: Vec<Source>,
    /// Files in folders that are in no known format.
    pub(crate) passed_over: usize,
    /// Data directories of Hexflight in folders: what is in them is loaded already.
    pub(crate) data_dirs: Vec<PathBuf>,
}

/// Finds the files of all paths, each file once, in a stable order.
///
/// # Errors
/// `Path` for one that names nothing, or a file whose format nobody can tell.
pub(crate) async fn find(paths: &[PathBuf], format: Option<FileFormat>) -> Result<Found, ImportError> {
    let mut finder = Finder { format, found: Found::default(), seen: HashSet::new() };
    for path in paths {
        match path.to_str().filter(|text| text.contains("://")) {
            Some(address) => {
                let remote = remote::find(address, format).await?;
                finder.found.passed_over += remote.passed_over;
                finder.found.sources.extend(remote.sources);
            }
            None => finder.path(path)?,
        }
    }
    Ok(finder.found)
}

/// The format of a file: as given, else by its name.
pub(crate) fn format_of(name: &str, given: Option<FileFormat>) -> Option<(FileFormat, Compression)> {
    match given {
        Some(FileFormat::Parquet) => Some((FileFormat::Parquet, Compression::None)),
        Some(format) => Some((format, Compression::of(name).0)),
        None => FileFormat::of(name),
    }
}

/// The error for a file whose format nobody can tell.
pub(crate) fn unknown_format(path: &str) -> ImportError {
    ImportError::Path {
        path: path.to_owned(),
        rule: "its name ends in none of .parquet, .pq, .csv, .ndjson, .jsonl (text also .gz, .zst); say with --format what it is"
            .to_owned(),
    }
}

/// Whether tools leave files or folders of this name beside their data.
pub(crate) fn is_hidden(name: &str) -> bool {
    name.starts_with(['_', '.'])
}

/// Whether a folder is a data directory of ours.
fn is_data_dir(folder: &Path) -> bool {
    ["LOCK", "streams", "tables", "wal"].iter().all(|name| folder.join(name).exists())
}

struct Finder {
    format: Option<FileFormat>,
    found: Found,
    /// Real paths of what was found.
    seen: HashSet<PathBuf>,
}

impl Finder {
    fn path(&mut self, path: &Path) -> Result<(), ImportError> {
        let refuse = |rule: String| ImportError::Path { path: path.display().to_string(), rule };
        // A file may have the characters of a pattern in its name.
        if path.symlink_metadata().is_ok() {
            return self.one(path, path.is_dir());
        }
        let Some(pattern) = path.to_str().filter(|text| text.contains(['*', '?', '['])) else {
            return Err(refuse("no such file or folder".to_owned()));
        };
        let before = self.seen.len();
        let matches = glob::glob(pattern).map_err(|error| refuse(format!("not a pattern: {error}")))?;
        for found in matches {
            let found = found.map_err(|error| refuse(error.to_string()))?;
            let is_hidden = found.file_name().is_some_and(|name| is_hidden(&name.to_string_lossy()));
            if !is_hidden {
                self.one(&found, found.is_dir())?;
            }
        }
        if self.seen.len() == before {
            return Err(refuse("the pattern matches no file that can be imported".to_owned()));
        }
        Ok(())
    }

    /// A path that was named: a folder with all in it, or a file that must be one of ours.
    fn one(&mut self, path: &Path, is_folder: bool) -> Result<(), ImportError> {
        if !is_folder {
            let name = path.to_string_lossy();
            let (format, compression) = format_of(&name, self.format).ok_or_else(|| unknown_format(&name))?;
            return self.add(path, format, compression);
        }
        let before = self.seen.len();
        self.folder(path, 0)?;
        if self.seen.len() == before {
            let rule = "the folder has no .parquet, .pq, .csv, .ndjson or .jsonl files (text also .gz, .zst)";
            return Err(ImportError::Path { path: path.display().to_string(), rule: rule.to_owned() });
        }
        Ok(())
    }

    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), ImportError> {
        if depth > DEPTH_MAX {
            let rule = format!("folders are nested deeper than {DEPTH_MAX}; is there a loop of links?");
            return Err(ImportError::Path { path: folder.display().to_string(), rule });
        }
        if folder.join(DELTA_LOG).is_dir() {
            let rule =
                "it is a Delta table: only its log says which of its files count; export its rows first";
            return Err(ImportError::Path { path: folder.display().to_string(), rule: rule.to_owned() });
        }
        let failed = |error: std::io::Error| ImportError::Path {
            path: folder.display().to_string(),
            rule: format!("the folder cannot be read: {error}"),
        };
        let entries = std::fs::read_dir(folder).map_err(failed)?;
        let mut paths = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<PathBuf>, _>>()
            .map_err(failed)?;
        paths.sort();
        for path in paths {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if is_hidden(&name) {
                continue;
            }
            if rejects::is_ours(&name) {
                self.found.passed_over += 1;
                continue;
            }
            if path.is_dir() && is_data_dir(&path) {
                self.found.data_dirs.push(path);
            } else if path.is_dir() {
                self.folder(&path, depth + 1)?;
            } else if let Some((format, compression)) = format_in_folder(&name, self.format) {
                self.add(&path, format, compression)?;
            } else {
                self.found.passed_over += 1;
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &Path, format: FileFormat, compression: Compression) -> Result<(), ImportError> {
        let failed = |error: std::io::Error| {
            ImportError::file(&path.display().to_string(), format!("it cannot be read: {error}"))
        };
        if !self.seen.insert(path.canonicalize().map_err(failed)?) {
            return Ok(());
        }
        let bytes = path.metadata().map_err(failed)?.len();
        let name = path.display().to_string();
        self.found.sources.push(Source {
            name,
            format,
            compression,
            bytes,
            place: SourcePlace::Local(path.to_owned()),
        });
        Ok(())
    }
}

/// `--format` says what files are, not which: in a folder only those count whose name says that they are data.
pub(crate) fn format_in_folder(name: &str, given: Option<FileFormat>) -> Option<(FileFormat, Compression)> {
    FileFormat::of(name)?;
    format_of(name, given)
}
