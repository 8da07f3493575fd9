//! The one door to stored bytes: WAL, Parquet and Delta log all go through [`Store`].
//!
//! `Store` → [`FsyncStore`] (an `ObjectStore`) → `DurableFiles` (the order of write, fsync, link, fsync) → [`Files`] (the
//! system calls). It knows keys and bytes, never what they mean. `RecordingFiles` replaces the lowest layer in crash tests.

mod files;
mod durable;
mod fsync;
mod walk;
mod open;
mod probe;
mod recording;
mod crash;

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{
    Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, path::Path,
};

use crate::error::{EngineError, Result};

use fsync::FsyncStore;

pub use files::{DiskFiles, Files, OpenFile};
pub use recording::RecordingFiles;

/// How a put-if-absent ended when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// This call created the object, durably.
    Created,
    /// The object was there before; it was not touched.
    AlreadyExists,
}

/// Durable objects under one root; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    /// The same store again when it is a local directory; holds the lock on it.
    local: Option<Arc<FsyncStore>>,
}

impl Store {
    /// Opens a local directory: creates it if need be, takes its lock, sweeps what a crash left staged, and probes
    /// put-if-absent. The lock is held until the last clone, and the last `object_store()`, is dropped.
    ///
    /// # Errors
    /// `Unavailable` when another process holds the directory or the file system fails, `Invalid` when the directory cannot
    /// be created or written, or when it does not refuse a second put.
    pub async fn open_local(root: &std::path::Path) -> Result<Self> {
        Self::over_files(root, Arc::new(DiskFiles)).await
    }

    /// Opens a local directory that is there to be read: takes its lock, so that nobody changes it meanwhile, and changes nothing
    /// itself. Open the engine with `read_only` on it.
    ///
    /// # Errors
    /// `Unavailable` when another process holds the directory, `Invalid` when it cannot be read.
    pub async fn open_local_to_read(root: &std::path::Path) -> Result<Self> {
        let root = root.to_path_buf();
        Self::opened(move || open::open_to_read(&root, Arc::new(DiskFiles))).await
    }

    /// As [`Store::open_local`], over another file layer.
    ///
    /// # Errors
    /// As [`Store::open_local`].
    #[doc(hidden)]
    pub async fn over_files(root: &std::path::Path, files: Arc<dyn Files>) -> Result<Self> {
        let root = root.to_path_buf();
        let store = Self::opened(move || open::open(&root, files)).await?;
        store.probe().await?;
        Ok(store)
    }

    async fn opened(open: impl FnOnce() -> Result<FsyncStore> + Send + 'static) -> Result<Self> {
        let opened = tokio::task::spawn_blocking(open).await;
        let local = Arc::new(
            opened.map_err(|error| EngineError::Task { task: "store open", detail: error.to_string() })??,
        );
        Ok(Self { objects: Arc::<FsyncStore>::clone(&local), local: Some(local) })
    }

    /// Takes any other backend. Retries and the timeout of each attempt are the backend's own settings (its `RetryConfig` and
    /// `ClientOptions`). Call [`Store::probe`] before the first write.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, local: None }
    }

    /// Proves that the backend refuses a second put of the same key: fencing and commits rest on it.
    ///
    /// # Errors
    /// `Invalid` when it does not refuse, `Unavailable` when the store fails.
    pub async fn probe(&self) -> Result<()> {
        probe::probe(self).await
    }

    /// Creates an object unless its key is taken. When it returns `Created` the object survives a crash; when it returns
    /// `AlreadyExists` the object that was there does.
    ///
    /// **Cancellation**: the outcome is unknown; the put may still happen.
    ///
    /// # Errors
    /// `Unavailable`: the outcome is unknown. GET the key to learn it.
    pub async fn put_if_absent(&self, path: &Path, payload: PutPayload) -> Result<PutOutcome> {
        let options = PutOptions::from(PutMode::Create);
        match self.objects.put_opts(path, payload, options).await {
            Ok(_) => Ok(PutOutcome::Created),
            // Backends differ in what they call it; a conditional put has no other precondition than absence.
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(PutOutcome::AlreadyExists),
            Err(source) => Err(failed("put", path, source)),
        }
    }

    /// Reads a whole object; `None` when there is none.
    ///
    /// # Errors
    /// `Unavailable` when the store fails.
    pub async fn get(&self, path: &Path) -> Result<Option<Bytes>> {
        let read = async { self.objects.get(path).await?.bytes().await };
        found(read.await).map_err(|source| failed("get", path, source))
    }

    /// Reads bytes `range` of an object, fewer where it ends; `None` when there is none.
    ///
    /// # Errors
    /// `Unavailable` when the store fails.
    pub async fn get_range(&self, path: &Path, range: Range<u64>) -> Result<Option<Bytes>> {
        let read = found(self.objects.get_range(path, range.clone()).await);
        let error = match read {
            Ok(bytes) => return Ok(bytes),
            Err(error) => error,
        };
        // Backends differ in what they say of a range that begins behind the end: whether this one does tells the size.
        let size = match self.head(path).await? {
            Some(meta) => meta.size,
            None => return Ok(None),
        };
        if range.end <= size {
            return Err(failed("get", path, error));
        }
        if range.start >= size {
            return Ok(Some(Bytes::new()));
        }
        found(self.objects.get_range(path, range.start..size).await)
            .map_err(|source| failed("get", path, source))
    }

    /// Size and time of an object; `None` when there is none.
    ///
    /// # Errors
    /// `Unavailable` when the store fails.
    pub async fn head(&self, path: &Path) -> Result<Option<ObjectMeta>> {
        found(self.objects.head(path).await).map_err(|source| failed("head", path, source))
    }

    /// Every object below `prefix`, sorted by location. An object deleted meanwhile may or may not be among them.
    ///
    /// # Errors
    /// `Unavailable` when the store fails.
    pub async fn list(&self, prefix: &Path) -> Result<Vec<ObjectMeta>> {
        let listing = self.objects.list(Some(prefix)).try_collect::<Vec<_>>().await;
        let mut objects = listing.map_err(|source| failed("list", prefix, source))?;
        objects.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        Ok(objects)
    }

    /// Deletes an object; one that is not there is fine. A crash may bring it back.
    ///
    /// # Errors
    /// `Unavailable` when the store fails.
    pub async fn delete(&self, path: &Path) -> Result<()> {
        let deleted = found(self.objects.delete(path).await);
        deleted.map(|_| ()).map_err(|source| failed("delete", path, source))
    }

    /// Makes durable what can be read directly below `prefix`: a process that died between link and fsync leaves objects that
    /// are readable and not durable, and what is served must be. Does nothing for a backend that is not a directory, or
    /// when there is no such prefix.
    ///
    /// # Errors
    /// `Unavailable` when the file system fails.
    pub async fn sync_listing(&self, prefix: &Path) -> Result<()> {
        match &self.local {
            Some(local) => local.sync_listing(prefix).await.map_err(|e| failed("sync", prefix, e)),
            None => Ok(()),
        }
    }

    /// Writes a note that survives the process, but perhaps not the machine: a local directory has one, which costs a system call and
    /// no fsync. Nothing rests on it, so nobody hears when it fails.
    pub(crate) fn note(&self, note: &[u8]) {
        if let Some(Err(error)) = self.local.as_ref().map(|local| local.durable().note(note)) {
            tracing::debug!(%error, "cannot write the note");
        }
    }

    /// The first bytes of what was noted last, here or by an earlier process.
    pub(crate) fn noted(&self, bytes_max: usize) -> Option<Vec<u8>> {
        self.local.as_ref()?.durable().noted(bytes_max).ok()
    }

    /// The same objects as an `ObjectStore`, for DataFusion's Parquet reader. Puts through it are durable too.
    #[must_use]
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.objects)
    }

    /// The local directory, if it is one.
    #[must_use]
    pub fn root(&self) -> Option<&std::path::Path> {
        self.local.as_deref().map(FsyncStore::root)
    }
}

fn found<T>(result: object_store::Result<T>) -> object_store::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn failed(operation: &'static str, path: &Path, source: Error) -> EngineError {
    EngineError::Store { operation, path: path.to_string(), source }
}

#[cfg(test)]
mod store_tests;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod crash_tests;
