//! `ReadOnlyStore`: a local directory that somebody else may hold. It takes no lock and refuses every change, so that whoever
//! looks at a directory beside a running server cannot harm it. Objects may come and go while it is read.

use std::fmt;

use async_trait::async_trait;
use futures::{StreamExt, TryFutureExt, stream, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, local::LocalFileSystem, path::Path,
};

use super::walk::walk;
use crate::tasks;

/// See the module.
#[derive(Debug)]
pub(super) struct ReadOnlyStore {
    reads: LocalFileSystem,
    root: std::path::PathBuf,
}

impl ReadOnlyStore {
    /// Reads below `root`, which is there.
    pub(super) fn new(root: &std::path::Path) -> Result<Self> {
        Ok(Self { reads: LocalFileSystem::new_with_prefix(root)?, root: root.to_path_buf() })
    }
}

impl fmt::Display for ReadOnlyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReadOnlyStore({})", self.root.display())
    }
}

fn refused(what: &str, location: &Path) -> Error {
    Error::NotSupported { source: format!("{what} {location}: the directory is only read").into() }
}

#[async_trait]
impl ObjectStore for ReadOnlyStore {
    async fn put_opts(
        &self,
        location: &Path,
        _payload: PutPayload,
        _options: PutOptions,
    ) -> Result<PutResult> {
        Err(refused("put", location))
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(refused("put", location))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.reads.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        locations.map(|location| location.and_then(|location| Err(refused("delete", &location)))).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (root, prefix) = (self.root.clone(), prefix.cloned().unwrap_or_default());
        let listing = async move {
            let walked = tasks::spawn_blocking(move || walk(&root, &prefix)).await?;
            let failed = |error| Error::Generic { store: "ReadOnlyStore", source: Box::new(error) };
            Ok::<_, Error>(stream::iter(walked.map_err(failed)?.into_iter().map(Ok)))
        };
        listing.try_flatten_stream().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.reads.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, _to: &Path, _options: CopyOptions) -> Result<()> {
        Err(refused("copy", from))
    }
}
