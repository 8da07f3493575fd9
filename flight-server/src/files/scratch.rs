//! `Scratch`: a file without a name that holds what came over the network, until it has been read.

use std::{
    fs::File,
    io::{Seek, SeekFrom, Write},
    path::Path,
};

use hexflight_engine::{ContentHash, tasks};

use super::{content::Content, error::ImportError};

/// A file that is written once and hashed on the way.
#[derive(Debug)]
pub(crate) struct Scratch {
    file: File,
    hasher: blake3::Hasher,
}

impl Scratch {
    /// Creates one in a folder; the system frees it when it is closed, however the process ends.
    ///
    /// # Errors
    /// `Io` when the folder cannot be written.
    pub(crate) fn create(folder: &Path) -> Result<Self, ImportError> {
        let file = tempfile::tempfile_in(folder).map_err(|source| ImportError::Io {
            action: format!("create a scratch file in {}", folder.display()),
            source,
        })?;
        Ok(Self { file, hasher: blake3::Hasher::new() })
    }

    /// Adds bytes, on a blocking thread.
    ///
    /// # Errors
    /// `Io` when the disk refuses.
    pub(crate) async fn written(mut self, bytes: bytes::Bytes) -> Result<Self, ImportError> {
        let write = tasks::spawn_blocking(move || {
            self.hasher.update(&bytes);
            self.file.write_all(&bytes).map(|()| self)
        });
        let failed = |source| ImportError::Io { action: "write a scratch file".to_owned(), source };
        write.await.map_err(std::io::Error::other).and_then(|written| written).map_err(failed)
    }

    /// Ends it and gives it for reading.
    ///
    /// # Errors
    /// `Io` when the disk refuses.
    pub(crate) fn finish(mut self) -> Result<(Content, ContentHash), ImportError> {
        let failed = |source| ImportError::Io { action: "read a scratch file".to_owned(), source };
        self.file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let hash = ContentHash(*self.hasher.finalize().as_bytes());
        Ok((Content::of(self.file).map_err(failed)?, hash))
    }
}
