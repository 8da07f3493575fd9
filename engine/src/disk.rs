//! The machine's own files: what it says of itself, and what its operator wrote. One of the few ways to the file system; what is stored goes
//! through a [`Store`](crate::Store).

#![expect(clippy::disallowed_methods, reason = "this is one of the places that ask the file system")]

use std::{
    fs::{self, File, Metadata, ReadDir},
    io,
    path::Path,
};

/// A file as text.
///
/// # Errors
/// The system's; `InvalidData` when it is no UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
}

/// Opens a file to read it.
///
/// # Errors
/// The system's.
pub fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// What the system says of a file, or of the one that a link leads to.
///
/// # Errors
/// The system's.
pub fn metadata(path: &Path) -> io::Result<Metadata> {
    fs::metadata(path)
}

/// What lies in a folder.
///
/// # Errors
/// The system's.
pub fn list(folder: &Path) -> io::Result<ReadDir> {
    fs::read_dir(folder)
}

/// Makes a folder, and those above it, unless they are there.
///
/// # Errors
/// The system's.
pub(crate) fn make_folders(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}
