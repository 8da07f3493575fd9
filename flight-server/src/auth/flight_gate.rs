//! `FlightGate`: stands before the Flight service and lets no call through whose caller is not known. Only `Handshake`, the call that
//! logs in, passes unseen. A method added to Flight later is guarded without anybody having to think of it.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::Either;
use tonic::{
    Status,
    body::Body,
    codegen::{Service, http},
    server::NamedService,
};

use super::{Auth, Denied};
use crate::{listen::Peer, telemetry};

/// The method that logs in.
const HANDSHAKE: &str = "Handshake";

/// A service behind [`Auth`]; its calls carry their [`Caller`](super::Caller) as an extension.
#[derive(Debug, Clone)]
pub(crate) struct FlightGate<S> {
    auth: Arc<Auth>,
    inner: S,
    /// The same service with the limits of strangers.
    login: S,
}

impl<S> FlightGate<S> {
    /// Calls that are let in go to `inner`, logins to `login`, which takes small messages alone.
    pub(crate) fn new(auth: Arc<Auth>, inner: S, login: S) -> Self {
        Self { auth, inner, login }
    }
}

impl<S: NamedService> NamedService for FlightGate<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for FlightGate<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible> + NamedService,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Self::Response, Infallible>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        if logs_in(S::NAME, request.uri().path()) {
            return Either::Right(self.login.call(request));
        }
        let checked = self.auth.check(request.headers());
        tell_peer(request.extensions(), checked.is_ok());
        match checked {
            Ok(caller) => drop(request.extensions_mut().insert(caller)),
            Err(denied) => return Either::Left(ready(Ok(unauthenticated(denied).into_http()))),
        }
        Either::Right(self.inner.call(request))
    }
}

fn logs_in(service: &str, path: &str) -> bool {
    path.strip_prefix('/').and_then(|path| path.split_once('/')) == Some((service, HANDSHAKE))
}

/// Tells the connection of a call whether the call was let in.
pub(super) fn tell_peer(extensions: &http::Extensions, is_let_in: bool) {
    if let Some(peer) = extensions.get::<Peer>() {
        if is_let_in { peer.welcome() } else { peer.refuse() }
    }
}

/// The refusal of a Flight call.
pub(crate) fn unauthenticated(denied: Denied) -> Status {
    let status = Status::unauthenticated(denied.to_string());
    telemetry::request_failed(&status);
    status
}
