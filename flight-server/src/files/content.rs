//! `Content`: the bytes of one file, opened once. Read by position, so that several threads can read it at the same time, and a
//! file without a name (a scratch file) is as good as any other.

use std::{
    fs::{File, Metadata},
    io::{self, Read},
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
    time::SystemTime,
};

use bytes::Bytes;
use hexflight_engine::ContentHash;
use parquet::{
    errors::ParquetError,
    file::reader::{ChunkReader, Length},
};
use tokio_util::sync::CancellationToken;

/// Bytes that are read at once: large enough for the disk, small enough to notice a cancellation.
const BLOCK_BYTES: usize = 1 << 20;

/// Bytes that Parquet's page reader gets at once.
const CHUNK_BYTES: usize = 64 << 10;

/// An open file.
#[derive(Debug, Clone)]
pub(crate) struct Content(Arc<Opened>);

#[derive(Debug)]
struct Opened {
    file: File,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Content {
    /// Opens a file by its path.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        // Opening a pipe would wait for somebody to write to it.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        Self::of(File::open(path)?)
    }

    /// Takes over a file that is open for reading.
    pub(crate) fn of(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let modified = modified(&metadata);
        Ok(Self(Arc::new(Opened { file, bytes: metadata.len(), modified })))
    }

    /// Whether somebody wrote to the file since it was opened.
    pub(crate) fn is_changed(&self) -> io::Result<bool> {
        let metadata = self.0.file.metadata()?;
        Ok(metadata.len() != self.0.bytes || modified(&metadata) != self.0.modified)
    }

    /// Hashes all bytes; `None` when it was cancelled. Blocking.
    pub(crate) fn hash(&self, stop: &CancellationToken) -> io::Result<Option<ContentHash>> {
        let mut hasher = blake3::Hasher::new();
        let mut reader = self.reader(0);
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            if stop.is_cancelled() {
                return Ok(None);
            }
            match reader.read(&mut block)? {
                0 => return Ok(Some(ContentHash(*hasher.finalize().as_bytes()))),
                count => hasher.update(&block[..count]),
            };
        }
    }

    /// Reads from `position` to the end, whatever others read meanwhile.
    pub(crate) fn reader(&self, position: u64) -> ContentReader {
        ContentReader { content: self.clone(), position }
    }

    /// Exactly `length` bytes from `position` on.
    pub(crate) fn read_exact(&self, position: u64, length: usize) -> io::Result<Vec<u8>> {
        // Before anything is allocated: a damaged file can ask for any length.
        if position.checked_add(length as u64).is_none_or(|end| end > self.0.bytes) {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{length} bytes at {position} are beyond its end at {}", self.0.bytes),
            ));
        }
        let mut bytes = vec![0; length];
        self.0.file.read_exact_at(&mut bytes, position)?;
        Ok(bytes)
    }
}

/// None where the file system keeps no times.
fn modified(metadata: &Metadata) -> Option<SystemTime> {
    metadata.modified().ok()
}

/// A cursor of its own over a [`Content`].
#[derive(Debug)]
pub(crate) struct ContentReader {
    content: Content,
    position: u64,
}

impl Read for ContentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.0.file.read_at(buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Length for Content {
    fn len(&self) -> u64 {
        self.0.bytes
    }
}

impl ChunkReader for Content {
    type T = io::BufReader<ContentReader>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(io::BufReader::with_capacity(CHUNK_BYTES, self.reader(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        Ok(Bytes::from(self.read_exact(start, length)?))
    }
}
