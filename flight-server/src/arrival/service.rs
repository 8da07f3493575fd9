//! `Arrivals`: a gRPC service whose calls have an [`ArrivingBody`].

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use tonic::{
    body::Body,
    codegen::{Service, http},
    server::NamedService,
};

use super::{ArrivalMemory, Waits, body::ArrivingBody};

/// Methods that take messages one after the other; all others take one.
const STREAMS: [&str; 3] = ["/DoPut", "/DoExchange", "/Handshake"];

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Arrivals<S> {
    inner: S,
    memory: Arc<ArrivalMemory>,
    message_bytes_max: usize,
}

impl<S> Arrivals<S> {
    /// Before a service that takes messages of at most `message_bytes_max`.
    pub(crate) fn new(inner: S, memory: &Arc<ArrivalMemory>, message_bytes_max: usize) -> Self {
        Self { inner, memory: Arc::clone(memory), message_bytes_max }
    }
}

impl<S: NamedService> NamedService for Arrivals<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for Arrivals<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let (memory, bytes_max, waits) = (&self.memory, self.message_bytes_max, Waits::default());
        let is_stream = STREAMS.iter().any(|method| request.uri().path().ends_with(method));
        request.extensions_mut().insert(waits.clone());
        let arriving =
            |body| Body::new(ArrivingBody::new(body, Arc::clone(memory), waits, bytes_max, is_stream));
        self.inner.call(request.map(arriving))
    }
}
