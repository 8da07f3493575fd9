//! An object store in memory that fails as networks do: before the put, after it (the answer is lost), or by being slow, so that
//! puts land out of order. Which put fails how is decided by a seed. It writes down what it was asked for, if it has a trace.

use std::{
    fmt,
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// See the module.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    rng: Mutex<StdRng>,
    /// Share of puts that fail, half of them after they were done; from 1 on none is done.
    failing: Mutex<f64>,
    /// End of the keys of which no put is ever done.
    refused: Mutex<Option<&'static str>>,
    trace: Option<Trace>,
}

/// What the stores of some nodes were asked for and when, in order, a line each.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    began: tokio::time::Instant,
    node: &'static str,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Trace {
    /// A trace that begins now.
    pub(crate) fn begin() -> Self {
        Self { began: tokio::time::Instant::now(), node: "", lines: Arc::default() }
    }

    /// The same trace, for what a node does.
    pub(crate) fn of(&self, node: &'static str) -> Self {
        Self { node, ..self.clone() }
    }

    pub(crate) fn note(&self, what: impl fmt::Display) {
        let line = format!("{:?} {}: {what}", self.began.elapsed(), self.node);
        self.lines.lock().unwrap().push(line);
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

impl FaultyStore {
    pub(crate) fn new(inner: &Arc<InMemory>, seed: u64, failing: f64) -> Self {
        Self::over(Arc::<InMemory>::clone(inner), seed, failing)
    }

    pub(crate) fn over(inner: Arc<dyn ObjectStore>, seed: u64, failing: f64) -> Self {
        Self {
            inner,
            rng: Mutex::new(StdRng::seed_from_u64(seed)),
            failing: Mutex::new(failing),
            refused: Mutex::default(),
            trace: None,
        }
    }

    /// The same store, which writes down what it is asked for.
    pub(crate) fn traced(self, trace: &Trace) -> Self {
        Self { trace: Some(trace.clone()), ..self }
    }

    fn note(&self, what: fmt::Arguments<'_>) {
        if let Some(trace) = &self.trace {
            trace.note(what);
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

fn crc(payload: &PutPayload) -> u32 {
    payload.iter().fold(0, |crc, bytes| crc32c::crc32c_append(crc, bytes))
}

fn lost() -> Error {
    Error::Generic { store: "FaultyStore", source: "connection reset".into() }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let (fails, afterwards, delay) = self.draw();
        tokio::time::sleep(delay).await;
        let bytes = crc(&payload);
        let is_refused = self.refused.lock().unwrap().is_some_and(|end| location.as_ref().ends_with(end));
        if is_refused || (fails && !afterwards) {
            self.note(format_args!("put {location}: not done"));
            return Err(lost());
        }
        let done = self.inner.put_opts(location, payload, options).await;
        self.note(format_args!("put {location} {bytes:08x}: {}, fails: {fails}", done.is_ok()));
        if fails { Err(lost()) } else { done }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.note(format_args!("get {location}"));
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.note(format_args!("get {location} {ranges:?}"));
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let trace = self.trace.clone();
        let asked = move |location: &Result<Path>| {
            if let (Some(trace), Ok(location)) = (&trace, location) {
                trace.note(format_args!("delete {location}"));
            }
        };
        self.inner.delete_stream(locations.inspect(asked).boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.note(format_args!("list {prefix:?}"));
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.note(format_args!("list {prefix:?}"));
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
