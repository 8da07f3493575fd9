//! `FsyncStore`: a local directory as an `ObjectStore` whose puts are durable when they return. Reads and lists are
//! `LocalFileSystem`'s; its puts never fsync and are not used. `Store` wraps it; DataFusion and the Delta log read through it.

use std::{
    fmt,
    io::ErrorKind,
    ops::Range,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryFutureExt, TryStreamExt, future, stream, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, local::LocalFileSystem, path::Path,
};

use super::{
    durable::{DurableFiles, FileError, STAGING_DIRECTORY},
    reserve::RESERVE_FILE,
    walk::walk,
};
use crate::tasks;

/// Lock file below the root; also hidden from listings.
pub(crate) const LOCK_FILE: &str = "LOCK";

/// Deletes being worked on at once; `LocalFileSystem` uses the same number.
const DELETES_MAX: usize = 10;

/// A locked local directory; every put is fsynced.
#[derive(Debug)]
pub(crate) struct FsyncStore {
    reads: LocalFileSystem,
    durable: Arc<DurableFiles>,
}

impl FsyncStore {
    pub(super) fn new(reads: LocalFileSystem, durable: DurableFiles) -> Self {
        Self { reads, durable: Arc::new(durable) }
    }

    pub(super) fn root(&self) -> &FilePath {
        self.durable.root()
    }

    pub(super) async fn sync_listing(&self, prefix: &Path) -> Result<()> {
        let directory = prefix.parts().fold(self.root().to_path_buf(), |path, part| path.join(part.as_ref()));
        self.blocking(move |durable| durable.sync_if_present(&directory)).await
    }

    pub(super) fn durable(&self) -> &DurableFiles {
        &self.durable
    }

    /// The file of a key that may be written: not the lock, not a staging file.
    fn target(&self, location: &Path) -> Result<PathBuf> {
        if is_reserved(location) {
            return Err(not_supported(format!("{location} is reserved for the store itself")));
        }
        self.reads.path_to_filesystem(location)
    }

    /// Runs file work on the blocking pool. It goes on when the caller is dropped: a put is never cut in half.
    async fn blocking<F>(&self, work: F) -> Result<()>
    where
        F: FnOnce(&DurableFiles) -> std::result::Result<(), FileError> + Send + 'static,
    {
        let durable = Arc::clone(&self.durable);
        tasks::spawn_blocking(move || work(&durable)).await?.map_err(into_store_error)
    }
}

impl fmt::Display for FsyncStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FsyncStore({})", self.root().display())
    }
}

#[async_trait]
impl ObjectStore for FsyncStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        if !opts.attributes.is_empty() {
            return Err(not_supported("a put with attributes".to_owned()));
        }
        let target = self.target(location)?;
        match opts.mode {
            PutMode::Create => {
                self.blocking(move |durable| durable.create(&target, payload.as_ref())).await?
            }
            PutMode::Overwrite => {
                self.blocking(move |durable| durable.replace(&target, payload.as_ref())).await?;
            }
            PutMode::Update(_) => return Err(not_supported("a put that updates a version".to_owned())),
        }
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(not_supported(format!("a multipart put of {location}: put it in one piece")))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.reads.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.reads.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = Self { reads: self.reads.clone(), durable: Arc::clone(&self.durable) };
        let store = Arc::new(store);
        locations
            .map(move |location| {
                let store = Arc::clone(&store);
                async move {
                    let location = location?;
                    let target = store.target(&location)?;
                    store.blocking(move |durable| durable.remove(&target)).await?;
                    Ok(location)
                }
            })
            .buffered(DELETES_MAX)
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (root, prefix) = (self.root().to_path_buf(), prefix.cloned().unwrap_or_default());
        let listing = async move {
            let walked = tasks::spawn_blocking(move || walk(&root, &prefix)).await?;
            let failed = |error| Error::Generic { store: "FsyncStore", source: Box::new(error) };
            Ok::<_, Error>(stream::iter(walked.map_err(failed)?.into_iter().map(Ok)))
        };
        visible(listing.try_flatten_stream().boxed())
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        visible(self.reads.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut listing = self.reads.list_with_delimiter(prefix).await?;
        listing.common_prefixes.retain(|prefix| !is_reserved(prefix));
        listing.objects.retain(|object| !is_reserved(&object.location));
        Ok(listing)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, _options: CopyOptions) -> Result<()> {
        Err(not_supported(format!("a copy from {from} to {to}")))
    }
}

fn visible(objects: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
    objects.try_filter(|object| future::ready(!is_reserved(&object.location))).boxed()
}

fn is_reserved(location: &Path) -> bool {
    let first = location.parts().next();
    first.is_some_and(|part| matches!(part.as_ref(), STAGING_DIRECTORY | LOCK_FILE | RESERVE_FILE))
}

fn not_supported(what: String) -> Error {
    Error::NotSupported { source: format!("FsyncStore does not do {what}").into() }
}

fn into_store_error(error: FileError) -> Error {
    let path = error.path.display().to_string();
    match error.kind() {
        ErrorKind::AlreadyExists => Error::AlreadyExists { path, source: Box::new(error) },
        ErrorKind::NotFound => Error::NotFound { path, source: Box::new(error) },
        _ => Error::Generic { store: "FsyncStore", source: Box::new(error) },
    }
}
