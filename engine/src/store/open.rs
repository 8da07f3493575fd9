//! Opens a local directory for `Store`: creates it, locks it, and sweeps what a crash left behind. Blocking.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, ErrorKind},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use object_store::local::LocalFileSystem;
use uuid::Uuid;

use super::{
    durable::{DurableFiles, STAGING_DIRECTORY},
    files::Files,
    fsync::{FsyncStore, LOCK_FILE},
    keys,
    privacy::{self, PRIVATE_FILE},
    probe::PROBE_PREFIX,
    reserve::RESERVE_FILE,
};
use crate::error::{EngineError, Result};

/// File below the root of a backup that is being made. A copy that lacks half of its objects must not be taken for a directory
/// that has none.
pub(crate) const UNFINISHED_BACKUP: &str = "UNFINISHED-BACKUP";

/// Folder below the root for what queries write when memory is short. Emptied at a start.
pub const SPILL_FOLDER: &str = "query-spill";

/// Whether a file is one that the store makes for itself: no object, and nothing to look at.
pub(crate) fn is_own_file(path: &object_store::path::Path) -> bool {
    let own = [LOCK_FILE, STAGING_DIRECTORY, PROBE_PREFIX, keys::SCRATCH, SPILL_FOLDER, RESERVE_FILE];
    path.parts().next().is_some_and(|first| own.contains(&first.as_ref()))
}

/// How DataFusion names the folder of one process.
const SPILL_PREFIX: &str = "datafusion-";

/// What a data directory has any of, however much of it is lost.
const ENTRIES: [&str; 3] = [keys::WAL, keys::STREAMS, "tables/events/_delta_log"];

/// The canonical path of a data directory that is there.
///
/// # Errors
/// `Invalid` when it is none, or an unfinished backup.
pub(super) fn existing(root: &Path) -> Result<PathBuf> {
    let refuse = |rule: &str| Err(EngineError::InvalidOption(format!("{}: {rule}", root.display())));
    if !root.is_dir() {
        return refuse("there is no such folder");
    }
    if !ENTRIES.iter().any(|entry| root.join(entry).exists()) {
        return refuse("not a data directory of Hexflight: it has no streams, wal and tables");
    }
    refuse_unfinished(root)?;
    root.canonicalize().map_err(|error| unusable(root, &error))
}

fn refuse_unfinished(root: &Path) -> Result<()> {
    if !root.join(UNFINISHED_BACKUP).exists() {
        return Ok(());
    }
    Err(EngineError::InvalidOption(format!(
        "data directory {}: it is a backup that was not finished ({UNFINISHED_BACKUP}); delete it and make it again",
        root.display()
    )))
}

/// Creates, locks and sweeps `root`.
pub(super) fn open(root: &Path, files: Arc<dyn Files>) -> Result<FsyncStore> {
    let root = create_root(root, files.as_ref())?;
    refuse_unfinished(&root)?;
    let lock = lock(&root)?;
    // Of somebody else's folder, which we may write, the bits are the owner's business.
    if let Err(error) = close_earlier(&root) {
        tracing::warn!(root = %root.display(), %error, "other users of this machine may read the write-ahead log");
    }
    sync(&root, files.as_ref())?;
    let reads = reads(&root)?;
    // Only now, under the lock, is nobody else's staging file among what is swept.
    sweep(&root.join(STAGING_DIRECTORY), is_staging_name, files.as_ref())?;
    sweep(&root.join(PROBE_PREFIX), is_probe_name, files.as_ref())?;
    sweep(&root.join(keys::SCRATCH), is_scratch_name, files.as_ref())?;
    sweep_spilled(&root.join(SPILL_FOLDER), files.as_ref())?;
    let durable = DurableFiles::new(root.clone(), files, lock);
    durable
        .ensure_directory(&root.join(STAGING_DIRECTORY))
        .map_err(|error| unusable(&root, &error.source))?;
    Ok(FsyncStore::new(reads, durable))
}

/// Takes from other users what an earlier build has left open to them.
fn close_earlier(root: &Path) -> io::Result<()> {
    privacy::set_mode(&root.join(LOCK_FILE), PRIVATE_FILE)?;
    privacy::close_folders(root)
}

/// Locks a directory that is there, so that nobody writes while it is read, and changes nothing in it.
pub(super) fn open_to_read(root: &Path, files: Arc<dyn Files>) -> Result<FsyncStore> {
    let root = root.canonicalize().map_err(|error| unusable(root, &error))?;
    refuse_unfinished(&root)?;
    let lock = lock(&root)?;
    let reads = reads(&root)?;
    Ok(FsyncStore::new(reads, DurableFiles::new(root, files, lock)))
}

fn reads(root: &Path) -> Result<LocalFileSystem> {
    LocalFileSystem::new_with_prefix(root).map_err(|source| EngineError::Store {
        operation: "open",
        path: display(root),
        source,
    })
}

/// Makes the directory and its own name durable, and gives its canonical path.
fn create_root(root: &Path, files: &dyn Files) -> Result<PathBuf> {
    let absolute = std::path::absolute(root).map_err(|error| unusable(root, &error))?;
    let existed = absolute.ancestors().find(|path| path.exists()).map(Path::to_path_buf).unwrap_or_default();
    std::fs::create_dir_all(&absolute).map_err(|error| unusable(root, &error))?;
    for directory in absolute.ancestors().skip(1) {
        sync_ancestor(directory, files)?;
        if existed.starts_with(directory) {
            break;
        }
    }
    absolute.canonicalize().map_err(|error| unusable(root, &error))
}

/// One that we may not read is somebody else's, and was there before.
fn sync_ancestor(directory: &Path, files: &dyn Files) -> Result<()> {
    match sync(directory, files) {
        Err(EngineError::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

/// A file system that cannot fsync a directory is refused here with an error, before a failed fsync would stop the process.
fn sync(directory: &Path, files: &dyn Files) -> Result<()> {
    files.open_dir(directory).and_then(|open| files.sync_dir(&open)).map_err(|source| EngineError::Io {
        operation: "fsync",
        path: display(directory),
        source,
    })
}

fn lock(root: &Path) -> Result<File> {
    let path = root.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(PRIVATE_FILE)
        .open(&path)
        .map_err(|error| no_lock(root, &path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(EngineError::Locked { path: display(&path) }),
        Err(TryLockError::Error(source)) => {
            Err(EngineError::Io { operation: "lock", path: display(&path), source })
        }
    }
}

/// Whether a name in one of our folders is one that we give.
type IsOurs = fn(&str) -> bool;

/// As `DurableFiles` names what it stages.
fn is_staging_name(name: &str) -> bool {
    name.strip_prefix("put#").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// As the probe names its object.
fn is_probe_name(name: &str) -> bool {
    Uuid::parse_str(name).is_ok()
}

/// As the `tempfile` crate names a file for the moment in which it has a name.
fn is_scratch_name(name: &str) -> bool {
    name.starts_with(".tmp")
}

/// A process that was killed leaves a folder of files. An empty one is gone with them; one with files of others stays.
fn sweep_spilled(directory: &Path, files: &dyn Files) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Ok(()) };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(SPILL_PREFIX)) {
            sweep(&entry.path(), is_scratch_name, files)?;
            let _holds_others = std::fs::remove_dir(entry.path());
        }
    }
    Ok(())
}

/// Removes files of ours in a directory of ours that holds nothing to keep. What somebody else has put there stays.
fn sweep(directory: &Path, is_ours: IsOurs, files: &dyn Files) -> Result<()> {
    let swept = remove_files(directory, is_ours, files).map_err(|source| EngineError::Io {
        operation: "sweep",
        path: display(directory),
        source,
    })?;
    if swept > 0 {
        tracing::info!(directory = %directory.display(), files = swept, "swept what an earlier process left staged");
    }
    Ok(())
}

fn remove_files(directory: &Path, is_ours: IsOurs, files: &dyn Files) -> io::Result<usize> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_ours) && !entry.file_type()?.is_dir() {
            files.remove(&entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// What is in the way of the lock is named; anything else is wrong with the directory.
fn no_lock(root: &Path, path: &Path, error: &io::Error) -> EngineError {
    if error.kind() != ErrorKind::IsADirectory {
        return unusable(root, error);
    }
    EngineError::InvalidOption(format!(
        "{}: this is a directory, and has to be the lock file; move it away, and it is made anew",
        path.display()
    ))
}

fn unusable(root: &Path, error: &io::Error) -> EngineError {
    let advice = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some disk space",
        _ => "make it a directory this user can write, or choose another --data-dir",
    };
    EngineError::InvalidOption(format!("data directory {}: {error}; {advice}", root.display()))
}

fn display(path: &Path) -> String {
    path.display().to_string()
}
