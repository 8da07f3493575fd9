//! Who on this machine may look at what is stored. Events under `tables/` follow the umask, because other tools read them; all else
//! (the write-ahead log, the registry of streams, the lock, what is in quarantine) is its owner's alone.

use std::{
    fs::{self, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use super::keys;

/// Folder below the root that other tools read.
const SHARED_FOLDER: &str = keys::TABLES;

/// Folders below the root that an earlier build may have made for everybody.
const PRIVATE_FOLDERS: [&str; 3] = [keys::WAL, keys::STREAMS, keys::QUARANTINE];

/// Permission bits of a file and of a folder that are their owner's alone.
pub(crate) const PRIVATE_FILE: u32 = 0o600;
pub(crate) const PRIVATE_FOLDER: u32 = 0o700;

/// Whether a path below the root is its owner's alone. The root itself is not: the way to `tables/` leads through it.
pub(crate) fn is_private(root: &Path, path: &Path) -> bool {
    let below = path.strip_prefix(root).ok().and_then(|path| path.components().next());
    below.is_some_and(|first| first.as_os_str() != SHARED_FOLDER)
}

/// Sets the permission bits of a file or folder.
///
/// # Errors
/// The system's.
pub(crate) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Closes the folders of an earlier build: what is in them cannot be reached any more, whatever its own bits are.
pub(super) fn close_folders(root: &Path) -> io::Result<()> {
    for folder in PRIVATE_FOLDERS {
        match set_mode(&root.join(folder), PRIVATE_FOLDER) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
