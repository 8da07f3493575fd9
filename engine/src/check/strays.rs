//! Looks for what no part of the format explains: orphans, strange files, and what was moved aside. None of it is damage.

use std::{
    collections::{BTreeMap, HashSet},
    io::ErrorKind,
    path::Path as FsPath,
};

use object_store::path::Path;

use crate::{
    delta::{TableState, is_data_file},
    disk,
    error::{EngineError, Result},
    store::{is_own_file, keys},
};

/// Names of one kind that are listed.
const LISTED_MAX: usize = 20;
/// Folders deep that are looked into.
const DEPTH_MAX: usize = 16;

/// Folder of what was moved aside.
const QUARANTINE: &str = "quarantine/";

/// Folder of the marks, below a table.
const MARKS: &str = "_marks/";

/// A file and its size.
#[derive(Debug)]
pub(super) struct Stray {
    path: Path,
    bytes: u64,
}

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Removed,
    Unnamed,
    Quarantined,
    Strange,
}

impl Kind {
    fn text(self, log_is_whole: bool) -> &'static str {
        match (self, log_is_whole) {
            (Self::Removed, _) => "removed by a merge, and left for a vacuum",
            (Self::Unnamed, true) => {
                "named by no version: of a flush or load under way, or one that was cut off; a start deletes it once it is a day old"
            }
            (Self::Unnamed, false) => {
                "named by no version that can be read: it may hold rows of the damaged ones"
            }
            (Self::Quarantined, _) => "moved aside at a start; delete it once nobody needs it",
            (Self::Strange, _) => "not a file of Hexflight; left alone",
        }
    }
}

/// Every file below `root`. Blocking.
///
/// # Errors
/// `Unavailable` when the file system refuses.
pub(super) fn walk(root: &FsPath) -> Result<Vec<Stray>> {
    let mut files = vec![];
    walk_into(root, "", 0, &mut files)?;
    Ok(files)
}

fn walk_into(folder: &FsPath, prefix: &str, depth: usize, files: &mut Vec<Stray>) -> Result<()> {
    let failed = |source| EngineError::Io { operation: "list", path: folder.display().to_string(), source };
    let entries = match disk::list(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        // What has vanished meanwhile is no concern.
        let Ok(meta) = disk::metadata(&entry.path()) else { continue };
        if meta.is_dir() {
            if depth < DEPTH_MAX {
                walk_into(&entry.path(), &format!("{name}/"), depth + 1, files)?;
            }
        } else {
            // A name that is no key is nobody's object, and is shown as well as it can be.
            let path = Path::parse(&name).unwrap_or_else(|_| Path::from(name));
            files.push(Stray { path, bytes: meta.len() });
        }
    }
    Ok(())
}

/// One line for each kind of file that is no active part of the state.
pub(super) fn notes(
    files: &[Stray],
    table_root: &Path,
    state: &TableState,
    log_is_whole: bool,
) -> Vec<String> {
    let active: HashSet<&Path> = state.files().iter().map(|file| &file.location).collect();
    let mut kinds: BTreeMap<Kind, Vec<&Stray>> = BTreeMap::new();
    for file in files {
        if let Some(kind) = kind(&file.path, table_root, state, &active) {
            kinds.entry(kind).or_default().push(file);
        }
    }
    kinds.into_iter().map(|(kind, files)| note(kind, files, log_is_whole)).collect()
}

fn note(kind: Kind, mut files: Vec<&Stray>, log_is_whole: bool) -> String {
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    let count = files.len();
    let plural = if count == 1 { "" } else { "s" };
    let text = kind.text(log_is_whole);
    if kind == Kind::Removed {
        return format!("{count} file{plural}, {bytes} bytes, {text}");
    }
    let mut names: Vec<&str> = files.iter().take(LISTED_MAX).map(|file| file.path.as_ref()).collect();
    if count > LISTED_MAX {
        names.push("...");
    }
    format!("{count} file{plural}, {bytes} bytes, {text}: {}", names.join(", "))
}

/// `None` for an active part of the state.
fn kind(path: &Path, table_root: &Path, state: &TableState, active: &HashSet<&Path>) -> Option<Kind> {
    if is_own_file(path) || keys::parse_wal_object(path).is_some() || keys::parse_stream_entry(path).is_some()
    {
        return None;
    }
    if path.as_ref().starts_with(QUARANTINE) {
        return Some(Kind::Quarantined);
    }
    let Some(in_table) =
        path.as_ref().strip_prefix(table_root.as_ref()).and_then(|rest| rest.strip_prefix('/'))
    else {
        return Some(Kind::Strange);
    };
    if is_version(in_table) || in_table.starts_with(MARKS) {
        return None;
    }
    // A file that another tool has added has a name of its own.
    let data = keys::file_of_rollup(table_root, path).unwrap_or_else(|| path.clone());
    if active.contains(&data) {
        None
    } else if state.is_removed(&data) {
        Some(Kind::Removed)
    } else if is_data_file(table_root, &data) {
        Some(Kind::Unnamed)
    } else {
        Some(Kind::Strange)
    }
}

fn is_version(in_table: &str) -> bool {
    let digits = in_table.strip_prefix("_delta_log/").and_then(|name| name.strip_suffix(".json"));
    digits.is_some_and(|digits| digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}
