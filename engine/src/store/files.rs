//! `Files`: the file operations that durability rests on, one system call each. `DurableFiles` is the only caller; nothing
//! here decides an order.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, ErrorKind, IoSlice, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::privacy;

/// An open file or directory and the path it was opened by.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    path: PathBuf,
}

impl OpenFile {
    /// Where it was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The file operations of a durable put. A failing test double stands in for a full or broken disk, a recording one for a
/// crash.
pub trait Files: fmt::Debug + Send + Sync + 'static {
    /// Makes a new, empty file.
    ///
    /// # Errors
    /// The system's; `AlreadyExists` when the name is taken.
    fn create(&self, path: &Path) -> io::Result<OpenFile>;

    /// Appends all chunks.
    ///
    /// # Errors
    /// The system's; any part of the chunks may have been written.
    fn write(&self, file: &mut OpenFile, chunks: &[Bytes]) -> io::Result<()>;

    /// Makes the bytes of a file durable; not its name.
    ///
    /// # Errors
    /// The system's.
    fn sync_file(&self, file: &OpenFile) -> io::Result<()>;

    /// Opens a directory in order to sync it.
    ///
    /// # Errors
    /// The system's.
    fn open_dir(&self, path: &Path) -> io::Result<OpenFile>;

    /// Makes the names in a directory durable; not its own name.
    ///
    /// # Errors
    /// The system's.
    fn sync_dir(&self, directory: &OpenFile) -> io::Result<()>;

    /// Makes a directory.
    ///
    /// # Errors
    /// The system's; `AlreadyExists` when the name is taken.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Gives a file a second name.
    ///
    /// # Errors
    /// The system's; `AlreadyExists` when the name is taken.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Moves a file, replacing what is there.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The system's.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Sets the permission bits of a file or directory.
    ///
    /// # Errors
    /// The system's.
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        privacy::set_mode(path, mode)
    }

    /// Stops the process after a failed fsync. The kernel marks the pages clean though they never reached the disk, so that
    /// a second fsync succeeds and everything read back is a guess: only a restart, which reads the disk, is safe.
    /// Returns in tests only.
    ///
    /// **Source**: Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020.
    fn stop_after_failed_sync(&self, path: &Path, error: &io::Error) {
        tracing::error!(path = %path.display(), %error, "fsync failed: stopping before anything is acknowledged on top of it");
        std::process::abort();
    }
}

/// The file system of this machine.
#[derive(Debug, Clone, Copy)]
pub struct DiskFiles;

impl Files for DiskFiles {
    fn create(&self, path: &Path) -> io::Result<OpenFile> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(OpenFile { file, path: path.to_path_buf() })
    }

    fn write(&self, file: &mut OpenFile, chunks: &[Bytes]) -> io::Result<()> {
        write_all_chunks(&mut file.file, chunks)
    }

    /// fdatasync: it writes the size and the extents too, which is all that reading the file back needs.
    fn sync_file(&self, file: &OpenFile) -> io::Result<()> {
        file.file.sync_data()
    }

    fn open_dir(&self, path: &Path) -> io::Result<OpenFile> {
        Ok(OpenFile { file: File::open(path)?, path: path.to_path_buf() })
    }

    fn sync_dir(&self, directory: &OpenFile) -> io::Result<()> {
        directory.file.sync_all()
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir(path)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
}

/// `write_all` over many chunks without joining them; `Write::write_all_vectored` is not stable.
fn write_all_chunks(file: &mut File, chunks: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> =
        chunks.iter().filter(|chunk| !chunk.is_empty()).map(|chunk| IoSlice::new(chunk)).collect();
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
