//! `Copier`: copies objects of one directory into another, and makes the copy durable as a whole. Blocking; it knows paths, never
//! what they mean.

#![expect(clippy::disallowed_methods, reason = "a backup is a directory of files")]

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use object_store::path::Path as Key;
use parking_lot::{Mutex, MutexGuard};

use crate::{
    error::{EngineError, Result},
    store::{LOCK_FILE, PRIVATE_FILE, PRIVATE_FOLDER, UNFINISHED_BACKUP, is_private, keys, set_mode},
};

/// What the marker says to whoever opens it.
const MARKER_TEXT: &[u8] = b"This backup was not finished. Delete the folder and make it again.\n";

/// See the module.
#[derive(Debug)]
pub(super) struct Copier {
    from: PathBuf,
    to: PathBuf,
    /// What the copy holds, relative to it.
    files: Mutex<BTreeSet<PathBuf>>,
}

/// Folders that a data directory has from its first start on.
const FOLDERS: [&str; 2] = [keys::STREAMS, keys::WAL];
/// Bytes copied at once.
const BUFFER_BYTES: usize = 1 << 20;

/// An object that was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CopiedObject {
    pub(super) bytes: u64,
    /// CRC32C of its bytes.
    pub(super) crc: u32,
}

/// What a finished copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Copied {
    pub(super) objects: usize,
    pub(super) bytes: u64,
}

impl Copier {
    /// Makes the folder `to` for a copy of `from`, and marks it as unfinished.
    ///
    /// # Errors
    /// `Invalid` when it holds anything, or one of the two lies in the other; `Unavailable` when the file system refuses.
    pub(super) fn begin(from: &Path, to: &Path) -> Result<Self> {
        let from = from.canonicalize().map_err(|error| failed("open", from, error))?;
        // Looked at before it is made: nothing of ours comes into the original.
        let to = real_path(to).map_err(|error| failed("open", to, error))?;
        if to.starts_with(&from) || from.starts_with(&to) {
            return Err(EngineError::InvalidOption(format!(
                "{}: a backup of {} cannot lie in it or around it; name a folder elsewhere",
                to.display(),
                from.display()
            )));
        }
        fs::create_dir_all(&to).map_err(|error| failed("create directory", &to, error))?;
        let mut entries = fs::read_dir(&to).map_err(|error| failed("list", &to, error))?;
        if entries.next().is_some() {
            return Err(EngineError::InvalidOption(format!(
                "{}: the folder is not empty; name a new one for the backup",
                to.display()
            )));
        }
        let marker = to.join(UNFINISHED_BACKUP);
        // Of two backups into one folder, one makes it.
        let made = File::create_new(&marker).and_then(|mut file| {
            file.write_all(MARKER_TEXT)?;
            file.sync_all()
        });
        made.and_then(|()| sync(&to)).map_err(|error| failed("create", &marker, error))?;
        // What every data directory has, be it empty.
        for folder in FOLDERS.map(|folder| to.join(folder)) {
            let made = fs::create_dir(&folder).and_then(|()| set_mode(&folder, PRIVATE_FOLDER));
            made.map_err(|error| failed("create directory", &folder, error))?;
        }
        let lock = to.join(LOCK_FILE);
        let made = File::create(&lock).and_then(|_| set_mode(&lock, PRIVATE_FILE));
        made.map_err(|error| failed("create", &lock, error))?;
        Ok(Self { from, to, files: Mutex::default() })
    }

    /// The names of the entries of a folder of the original, sorted; none when there is no such folder.
    ///
    /// # Errors
    /// `Unavailable` when the file system refuses.
    pub(super) fn list(&self, folder: &str) -> Result<Vec<String>> {
        let path = self.from.join(folder);
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
            entries => entries.map_err(|error| failed("list", &path, error))?,
        };
        let mut names = vec![];
        for entry in entries {
            let name = entry.map_err(|error| failed("list", &path, error))?.file_name();
            names.extend(name.into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Whether the original has a folder of this name.
    pub(super) fn is_folder(&self, path: &str) -> bool {
        self.from.join(path).is_dir()
    }

    /// Reads an object of the original; `None` when it is not there.
    ///
    /// # Errors
    /// `Unavailable` when the file system refuses.
    pub(super) fn read(&self, key: &Key) -> Result<Option<Vec<u8>>> {
        let path = self.from.join(key.as_ref());
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path, error)),
        }
    }

    /// Writes an object of the copy.
    ///
    /// # Errors
    /// `Unavailable` when the file system refuses.
    pub(super) fn write(&self, key: &Key, bytes: &[u8]) -> Result<()> {
        let target = self.target(key)?;
        let written = fs::write(&target, bytes).and_then(|()| self.restrict(&target, PRIVATE_FILE));
        written.map_err(|error| failed("write", &target, error))?;
        self.lock().insert(PathBuf::from(key.as_ref()));
        Ok(())
    }

    /// Copies an object and returns what was copied; `None` when it is not there any more.
    ///
    /// # Errors
    /// `Unavailable` when the file system refuses.
    pub(super) fn copy(&self, key: &Key) -> Result<Option<CopiedObject>> {
        let source = self.from.join(key.as_ref());
        let mut from = match File::open(&source) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| failed("read", &source, error))?,
        };
        let target = self.target(key)?;
        let created = File::create(&target);
        let created = created.and_then(|file| self.restrict(&target, PRIVATE_FILE).map(|()| file));
        let mut to = created.map_err(|error| failed("create", &target, error))?;
        let mut copied = CopiedObject { bytes: 0, crc: 0 };
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read.map_err(|error| failed("read", &source, error))?,
            };
            to.write_all(&buffer[..read]).map_err(|error| failed("write", &target, error))?;
            copied.bytes += read as u64;
            copied.crc = crc32c::crc32c_append(copied.crc, &buffer[..read]);
        }
        self.lock().insert(PathBuf::from(key.as_ref()));
        Ok(Some(copied))
    }

    /// Takes an object out of the copy again.
    ///
    /// # Errors
    /// `Unavailable` when the file system refuses.
    pub(super) fn remove(&self, key: &Key) -> Result<()> {
        let target = self.to.join(key.as_ref());
        fs::remove_file(&target).map_err(|error| failed("remove", &target, error))?;
        self.lock().remove(Path::new(key.as_ref()));
        Ok(())
    }

    /// Makes the copy durable, then takes the mark from it.
    ///
    /// # Errors
    /// `Unavailable` when the file system refuses; the mark stays.
    pub(super) fn finish(&self) -> Result<Copied> {
        let files = std::mem::take(&mut *self.lock());
        let mut folders = BTreeSet::from([self.to.clone()]);
        folders.extend(FOLDERS.map(|folder| self.to.join(folder)));
        let mut copied = Copied { objects: files.len(), bytes: 0 };
        // Written back long before this for the most part: only the last ones have to be waited for.
        for file in &files {
            let path = self.to.join(file);
            copied.bytes += fs::metadata(&path).map_err(|error| failed("read", &path, error))?.len();
            sync(&path).map_err(|error| failed("fsync", &path, error))?;
            let above = path.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.to));
            folders.extend(above.map(Path::to_path_buf));
        }
        for folder in &folders {
            sync(folder).map_err(|error| failed("fsync", folder, error))?;
        }
        let marker = self.to.join(UNFINISHED_BACKUP);
        fs::remove_file(&marker).map_err(|error| failed("remove", &marker, error))?;
        sync(&self.to).map_err(|error| failed("fsync", &self.to, error))?;
        let parent = self.to.parent().unwrap_or(&self.to);
        match sync(parent) {
            // One that we may not read is somebody else's, and was there before.
            Err(error) if error.kind() != ErrorKind::PermissionDenied => Err(failed("fsync", parent, error)),
            _ => Ok(copied),
        }
    }

    /// The file of an object of the copy; its folder is made.
    fn target(&self, key: &Key) -> Result<PathBuf> {
        let target = self.to.join(key.as_ref());
        if let Some(folder) = target.parent() {
            let made = fs::create_dir_all(folder).and_then(|()| self.restrict(folder, PRIVATE_FOLDER));
            made.map_err(|error| failed("create directory", folder, error))?;
        }
        Ok(target)
    }

    /// What is its owner's alone in the original is so in the copy.
    fn restrict(&self, path: &Path, mode: u32) -> io::Result<()> {
        if is_private(&self.to, path) { set_mode(path, mode) } else { Ok(()) }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.files.lock()
    }
}

/// The path without links, also of a folder that is not there yet.
fn real_path(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let there = absolute.ancestors().find(|path| path.exists()).unwrap_or(&absolute);
    let missing = absolute.strip_prefix(there).unwrap_or_else(|_| Path::new(""));
    Ok(there.canonicalize()?.components().chain(missing.components()).collect())
}

/// Makes durable what was written under a name, whoever wrote it.
fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn failed(operation: &'static str, path: &Path, source: io::Error) -> EngineError {
    EngineError::Io { operation, path: path.display().to_string(), source }
}
