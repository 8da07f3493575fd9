//! An object store in memory that fails as networks do: before the put, after it (the answer is lost), or by being slow, so that
//! puts land out of order. Which put fails how is decided by a seed.

use std::{
    fmt,
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// See the module.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: Arc<InMemory>,
    rng: Mutex<StdRng>,
    /// Share of puts that fail, half of them after they were done; from 1 on none is done.
    failing: Mutex<f64>,
    /// End of the keys of which no put is ever done.
    refused: Mutex<Option<&'static str>>,
}

impl FaultyStore {
    pub(crate) fn new(inner: &Arc<InMemory>, seed: u64, failing: f64) -> Self {
        Self {
            inner: Arc::clone(inner),
            rng: Mutex::new(StdRng::seed_from_u64(seed)),
            failing: Mutex::new(failing),
            refused: Mutex::default(),
        }
    }

    /// Sets the share of puts that fail.
    pub(crate) fn set_failing(&self, failing: f64) {
        *self.failing.lock().unwrap() = failing;
    }

    /// From now on no put is done of a key with this end.
    pub(crate) fn refuse(&self, end: &'static str) {
        *self.refused.lock().unwrap() = Some(end);
    }

    /// Whether the next put fails, whether only after it was done, and how long it takes.
    fn draw(&self) -> (bool, bool, Duration) {
        let mut rng = self.rng.lock().unwrap();
        let failing = *self.failing.lock().unwrap();
        let fails = rng.random::<f64>() < failing;
        (fails, failing < 1.0 && rng.random(), Duration::from_micros(rng.random_range(0..3_000)))
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyStore")
    }
}

fn lost() -> Error {
    Error::Generic { store: "FaultyStore", source: "connection reset".into() }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let (fails, afterwards, delay) = self.draw();
        tokio::time::sleep(delay).await;
        let is_refused = self.refused.lock().unwrap().is_some_and(|end| location.as_ref().ends_with(end));
        if is_refused || (fails && !afterwards) {
            return Err(lost());
        }
        let done = self.inner.put_opts(location, payload, options).await?;
        if fails { Err(lost()) } else { Ok(done) }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
