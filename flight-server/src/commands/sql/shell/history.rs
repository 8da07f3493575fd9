//! The history file: what was typed, for the next session. Private to the user, bounded, and not worth an error when it cannot be
//! written.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use reedline::FileBackedHistory;

/// Entries kept.
const ENTRIES_MAX: usize = 1_000;

/// A longer file is cut at the start of a session: entries have no bound of their own. **Units**: bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The history, in the user's file if that can be written, else of this session only.
pub(super) fn open() -> FileBackedHistory {
    let filed = path().and_then(|path| {
        prepare(&path).ok()?;
        FileBackedHistory::with_file(ENTRIES_MAX, path).ok()
    });
    filed.unwrap_or_default()
}

/// `$XDG_STATE_HOME/hexflight/history`, by default below `~/.local/state`.
fn path() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("hexflight/history"))
}

fn prepare(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file =
        OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)?;
    let bytes = file.metadata()?.len();
    if bytes <= FILE_BYTES_MAX {
        return Ok(());
    }
    file.seek(SeekFrom::Start(bytes - FILE_BYTES_MAX))?;
    let mut newest = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut newest)?;
    // The first line is most likely the rest of one.
    let whole = newest.iter().position(|byte| *byte == b'\n').map_or(newest.len(), |at| at + 1);
    fs::write(path, &newest[whole..])
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_file_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hexflight/history");
        prepare(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_long_file_keeps_its_newest_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        let line = format!("{}\n", "x".repeat(1 << 20));
        fs::write(&path, format!("{}newest;\n", line.repeat(6))).unwrap();
        prepare(&path).unwrap();
        let kept = fs::read_to_string(&path).unwrap();
        assert!(kept.len() as u64 <= FILE_BYTES_MAX);
        assert_eq!(kept.lines().last(), Some("newest;"));
        assert!(kept.lines().all(|line| line.len() == 1 << 20 || line == "newest;"));
    }

    #[test]
    fn a_place_that_cannot_be_written_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("hexflight"), "a file").unwrap();
        prepare(&folder.path().join("hexflight/history")).unwrap_err();
    }
}
