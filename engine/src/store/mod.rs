//! The one door to stored bytes: WAL, Parquet and Delta log all go through [`Store`].
//!
//! `Store` → [`FsyncStore`] (an `ObjectStore`) → `DurableFiles` (the order of write, fsync, link, fsync) → [`Files`] (the
//! system calls). It knows keys and bytes, never what they mean. Crash tests replace the lowest layer.

#![expect(clippy::disallowed_methods, reason = "a local directory is a store")]

pub(crate) mod keys;
mod privacy;
mod files;
mod durable;
mod fsync;
mod walk;
mod read_only;
mod reserve;
mod open;
mod probe;

use std::{io, ops::Range, sync::Arc};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{
    Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, path::Path,
};

use crate::{
    error::{EngineError, Result},
    ids::{Ids, SystemIds},
    tasks,
};

use fsync::FsyncStore;
use read_only::ReadOnlyStore;
use reserve::{Lease, Reserve};

pub use files::{DiskFiles, Files, OpenFile};
pub(crate) use fsync::LOCK_FILE;
pub use open::SPILL_FOLDER;
pub(crate) use open::{UNFINISHED_BACKUP, is_own_file};
pub(crate) use privacy::{PRIVATE_FILE, PRIVATE_FOLDER, is_private, set_mode};

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
    /// The disk space kept for flushes; none where the disk is somebody else's concern.
    reserve: Option<Arc<Reserve>>,
    /// Held by a handle whose puts may use it.
    lease: Option<Arc<Lease>>,
    /// Names of its objects.
    ids: Arc<dyn Ids>,
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
        match store.with_reserve().probe().await {
            // Nothing can be put, so nothing can be put twice. What is there can be read.
            Err(error) if error.is_storage_full() => {
                tracing::warn!(%error, "put-if-absent could not be tried: the disk is full");
            }
            probed => probed?,
        }
        Ok(store)
    }

    async fn opened(open: impl FnOnce() -> Result<FsyncStore> + Send + 'static) -> Result<Self> {
        let opened = tasks::spawn_blocking(open).await;
        let local = Arc::new(
            opened.map_err(|error| EngineError::Task { task: "store open", detail: error.to_string() })??,
        );
        let reserve = Some(Arc::new(Reserve::open(local.root())));
        let objects: Arc<dyn ObjectStore> = Arc::<FsyncStore>::clone(&local);
        Ok(Self { objects, local: Some(local), reserve, lease: None, ids: Arc::new(SystemIds) })
    }

    /// Looks into a local data directory that another process may hold: takes no lock, and refuses every change.
    ///
    /// # Errors
    /// `Invalid` when it is no data directory, or an unfinished backup.
    pub fn open_unlocked(root: &std::path::Path) -> Result<Self> {
        let root = open::existing(root)?;
        let objects = ReadOnlyStore::new(&root).map_err(|source| EngineError::Store {
            operation: "open",
            path: root.display().to_string(),
            source,
        })?;
        Ok(Self {
            objects: Arc::new(objects),
            local: None,
            reserve: None,
            lease: None,
            ids: Arc::new(SystemIds),
        })
    }

    /// Takes any other backend. Retries and the timeout of each attempt are the backend's own settings (its `RetryConfig` and
    /// `ClientOptions`). Call [`Store::probe`] before the first write.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, local: None, reserve: None, lease: None, ids: Arc::new(SystemIds) }
    }

    /// The same store, whose objects get these names.
    #[must_use]
    pub fn with_ids(self, ids: Arc<dyn Ids>) -> Self {
        Self { ids, ..self }
    }

    /// Where names of objects come from.
    pub(crate) fn ids(&self) -> &dyn Ids {
        self.ids.as_ref()
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
    /// `Unavailable`: the outcome is unknown. GET the key to learn it. Also while the disk is full, as [`EngineError::is_storage_full`]
    /// tells: nothing was put then.
    pub async fn put_if_absent(&self, path: &Path, payload: PutPayload) -> Result<PutOutcome> {
        if self.lease.is_none() && !self.keep_reserve().await {
            let refusal = self.reserve.as_ref().map(|reserve| reserve.refusal());
            let source = refusal.unwrap_or_else(|| io::ErrorKind::StorageFull.into());
            return Err(failed("put", path, Error::Generic { store: "Reserve", source: Box::new(source) }));
        }
        match self.put(path, payload.clone()).await {
            Err(error) if error.is_storage_full() && self.give_up_reserve().await => {
                self.put(path, payload).await
            }
            put => put,
        }
    }

    async fn put(&self, path: &Path, payload: PutPayload) -> Result<PutOutcome> {
        let options = PutOptions::from(PutMode::Create);
        let put = match self.objects.put_opts(path, payload, options).await {
            Ok(_) => Ok(PutOutcome::Created),
            // Backends differ in what they call it; a conditional put has no other precondition than absence.
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(PutOutcome::AlreadyExists),
            Err(source) => Err(failed("put", path, source)),
        };
        if let Some(reserve) = &self.reserve {
            match &put {
                Ok(_) if self.lease.is_none() => reserve.note(false),
                Err(error) if error.is_storage_full() => reserve.note(true),
                _ => {}
            }
        }
        put
    }

    /// The same store with puts that may use the disk space that is kept for them: those after which space becomes free, and small
    /// ones that such need. As long as it lives the space is not taken back.
    pub(crate) fn with_reserve(&self) -> Self {
        let lease = self.reserve.as_ref().map(|reserve| Arc::new(reserve.lend()));
        Self { lease, ..self.clone() }
    }

    /// Keeps as much disk space for flushes from now on, `None` as much as fits the disk. Does nothing for a backend that is not
    /// a directory.
    ///
    /// # Errors
    /// `Unavailable` when the file system fails.
    pub(crate) async fn set_reserve(&self, bytes: Option<u64>) -> Result<()> {
        let Some(reserve) = self.reserve.clone() else { return Ok(()) };
        let path = reserve::RESERVE_FILE.to_owned();
        let resized = tasks::spawn_blocking(move || reserve.resize(bytes)).await;
        resized
            .map_err(|error| EngineError::Task { task: "reserve", detail: error.to_string() })?
            .map_err(|source| EngineError::Io { operation: "allocate", path, source })
    }

    /// Takes the space back if it was given up. Returns whether it is kept, or there is nothing to keep.
    pub(crate) async fn keep_reserve(&self) -> bool {
        let Some(reserve) = self.reserve.as_ref().filter(|reserve| !reserve.is_held()) else { return true };
        let reserve = Arc::clone(reserve);
        tasks::spawn_blocking(move || reserve.take()).await.unwrap_or(false)
    }

    /// Whether the disk is full, as far as the newest puts say.
    pub(crate) fn is_full(&self) -> bool {
        self.lacks_reserve() || self.reserve.as_ref().is_some_and(|reserve| reserve.is_full())
    }

    /// Whether the space for flushes was given up, so that all other puts are refused.
    pub(crate) fn lacks_reserve(&self) -> bool {
        self.reserve.as_ref().is_some_and(|reserve| !reserve.is_held())
    }

    async fn give_up_reserve(&self) -> bool {
        let Some(reserve) = self.reserve.as_ref().filter(|_| self.lease.is_some()) else { return false };
        let reserve = Arc::clone(reserve);
        tasks::spawn_blocking(move || reserve.give_up()).await.unwrap_or(false)
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
