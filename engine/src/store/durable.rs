//! `DurableFiles`: the order of write, fsync, link and fsync that makes a put durable. Blocking; called by `FsyncStore` on the
//! blocking pool. It knows paths, never keys.
//!
//! ```text
//! put-if-absent   write .staging/put#n → fsync it → link to its name → unlink staging → fsync the directory
//! overwrite       write .staging/put#n → fsync it → rename over its name              → fsync the directory
//! ```
//!
//! A name therefore never shows torn bytes: the bytes are on disk before the name can be.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::Mutex;

use super::{
    files::{Files, OpenFile},
    privacy::{PRIVATE_FILE, PRIVATE_FOLDER, is_private},
};
use crate::error::is_out_of_space;

/// Directory below the root where objects are written before they get their name. One directory, so that the sweep at start
/// looks at nothing else; inside the root, so that links into it stay on one file system.
pub(super) const STAGING_DIRECTORY: &str = ".staging";

/// A file operation that failed.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {}: {source}{}", path.display(), hint(source))]
pub(super) struct FileError {
    pub(super) operation: &'static str,
    pub(super) path: PathBuf,
    pub(super) source: io::Error,
}

impl FileError {
    pub(super) fn kind(&self) -> ErrorKind {
        self.source.kind()
    }
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; free some disk space",
        ErrorKind::CrossesDevices => "; keep the whole data directory on one file system",
        _ => "",
    }
}

fn at(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    move |source| FileError { operation, path: path.to_path_buf(), source }
}

/// Durable writes below one directory, which this process has locked.
#[derive(Debug)]
pub(super) struct DurableFiles {
    root: PathBuf,
    files: Arc<dyn Files>,
    /// Directories whose own name this process has seen durable, all the way up to the root.
    durable_directories: Mutex<HashSet<PathBuf>>,
    next_staging: AtomicU64,
    /// Unlocks when closed; holds a note.
    lock: File,
}

impl DurableFiles {
    /// Takes a canonical directory that holds a staging directory without files.
    pub(super) fn new(root: PathBuf, files: Arc<dyn Files>, lock: File) -> Self {
        let durable_directories = Mutex::new(HashSet::from([root.clone()]));
        Self { root, files, durable_directories, next_staging: AtomicU64::new(0), lock }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Writes a note over the one before, without fsync: one system call.
    pub(super) fn note(&self, note: &[u8]) -> io::Result<()> {
        self.lock.write_all_at(note, 0)
    }

    /// What was noted, here or by an earlier process; at most `bytes_max` of it.
    pub(super) fn noted(&self, bytes_max: usize) -> io::Result<Vec<u8>> {
        let mut note = vec![0; bytes_max];
        let length = self.lock.read_at(&mut note, 0)?;
        note.truncate(length);
        Ok(note)
    }

    /// Creates a file unless its name is taken. `AlreadyExists` is as durable as success: the other put of that name may be
    /// between its link and its fsync, and the caller is about to act on what it finds there.
    pub(super) fn create(&self, target: &Path, chunks: &[Bytes]) -> Result<(), FileError> {
        let directory = self.directory_of(target);
        self.ensure_directory(directory)?;
        let staged = self.stage(target, chunks)?;
        // Open before there is a name that others can read: a process without a free descriptor could not make it durable any more.
        let open = self.open_directory(directory).inspect_err(|_| self.discard(&staged))?;
        let linked = self.files.hard_link(&staged, target);
        self.discard(&staged);
        match linked {
            Ok(()) => self.sync_open(directory, &open),
            Err(source) => {
                if source.kind() == ErrorKind::AlreadyExists {
                    self.sync_open(directory, &open)?;
                }
                Err(self.name_failed("link", target, source))
            }
        }
    }

    /// Creates a file or replaces the one of that name at once: a crash leaves either, whole.
    pub(super) fn replace(&self, target: &Path, chunks: &[Bytes]) -> Result<(), FileError> {
        let directory = self.directory_of(target);
        self.ensure_directory(directory)?;
        let staged = self.stage(target, chunks)?;
        let open = self.open_directory(directory).inspect_err(|_| self.discard(&staged))?;
        if let Err(source) = self.files.rename(&staged, target) {
            self.discard(&staged);
            return Err(self.name_failed("rename", target, source));
        }
        self.sync_open(directory, &open)
    }

    /// Removes a file; a crash may bring it back.
    pub(super) fn remove(&self, target: &Path) -> Result<(), FileError> {
        self.files.remove(target).map_err(at("remove", target))
    }

    /// Makes durable the names in a directory and the directory's own name; does nothing when it is not there.
    pub(super) fn sync_if_present(&self, directory: &Path) -> Result<(), FileError> {
        match self.files.open_dir(directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(at("open directory", directory)(error)),
            Ok(_) => {}
        }
        self.ensure_directory(directory)?;
        self.sync_directory(directory)
    }

    /// Makes a directory and every missing one above it, each durable before anything is put into it. One that is already
    /// there may have been made by a process that died before its fsync, so the first use syncs it all the same.
    pub(super) fn ensure_directory(&self, directory: &Path) -> Result<(), FileError> {
        if self.known_durable(directory) {
            return Ok(());
        }
        let parent = self.directory_of(directory);
        self.ensure_directory(parent)?;
        match self.files.create_dir(directory) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(self.name_failed("create directory", directory, error));
            }
            Ok(()) if is_private(&self.root, directory) => {
                self.files.set_mode(directory, PRIVATE_FOLDER).map_err(at("chmod", directory))?;
            }
            _ => {}
        }
        self.sync_directory(parent)?;
        self.lock_directories().insert(directory.to_path_buf());
        Ok(())
    }

    fn known_durable(&self, directory: &Path) -> bool {
        self.lock_directories().contains(directory)
    }

    /// The directory a name is in. Paths come from keys below the root, so each has one.
    fn directory_of<'a>(&'a self, path: &'a Path) -> &'a Path {
        assert!(path.starts_with(&self.root), "{} is outside {}", path.display(), self.root.display());
        path.parent().unwrap_or(&self.root)
    }

    /// Writes a file that has no name yet, with the permissions of `target`, and makes its bytes durable. Leaves nothing behind when it
    /// fails.
    fn stage(&self, target: &Path, chunks: &[Bytes]) -> Result<PathBuf, FileError> {
        let number = self.next_staging.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(STAGING_DIRECTORY).join(format!("put#{number}"));
        let mut file = self.files.create(&path).map_err(at("create", &path))?;
        if is_private(&self.root, target)
            && let Err(error) = self.files.set_mode(&path, PRIVATE_FILE)
        {
            self.discard(&path);
            return Err(at("chmod", &path)(error));
        }
        if let Err(error) = self.files.write(&mut file, chunks) {
            self.discard(&path);
            return Err(at("write", &path)(error));
        }
        match self.files.sync_file(&file) {
            Ok(()) => Ok(path),
            // Found out as late as here by some file systems. The file has no name yet, so nobody relies on it.
            Err(error) if is_out_of_space(&error) => {
                self.discard(&path);
                Err(at("fsync", &path)(error))
            }
            Err(error) => {
                self.files.stop_after_failed_sync(&path, &error);
                self.discard(&path);
                Err(at("fsync", &path)(error))
            }
        }
    }

    /// Drops a staging name. A failure costs disk space until the sweep of the next start.
    fn discard(&self, staged: &Path) {
        if let Err(error) = self.files.remove(staged) {
            tracing::warn!(path = %staged.display(), %error, "staging file stays until the next start");
        }
    }

    fn sync_directory(&self, directory: &Path) -> Result<(), FileError> {
        let open = self.open_directory(directory)?;
        self.sync_open(directory, &open)
    }

    fn open_directory(&self, directory: &Path) -> Result<OpenFile, FileError> {
        let opened = self.files.open_dir(directory);
        opened.map_err(|source| self.name_failed("open directory", directory, source))
    }

    fn sync_open(&self, directory: &Path, open: &OpenFile) -> Result<(), FileError> {
        self.files.sync_dir(open).map_err(|error| {
            self.files.stop_after_failed_sync(directory, &error);
            at("fsync", directory)(error)
        })
    }

    /// A directory that somebody removed under us is made again by the next put.
    fn name_failed(&self, operation: &'static str, path: &Path, source: io::Error) -> FileError {
        if source.kind() == ErrorKind::NotFound {
            self.lock_directories().retain(|directory| *directory == self.root);
        }
        at(operation, path)(source)
    }

    fn lock_directories(&self) -> parking_lot::MutexGuard<'_, HashSet<PathBuf>> {
        self.durable_directories.lock()
    }
}
