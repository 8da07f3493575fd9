//! `FlightGate`: stands before the Flight service and lets no call through whose caller is not known. Only `Handshake`, the call that
//! logs in, passes unseen. A method added to Flight later is guarded without anybody having to think of it.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use futures::{FutureExt, future::BoxFuture};
use tonic::{
    Status,
    body::Body,
    codegen::{Service, http},
    server::NamedService,
};

use super::{Auth, Credentials, Denied, Forbidden, Permission};
use crate::{listen::Peer, telemetry};

/// The method that logs in.
const HANDSHAKE: &str = "Handshake";

/// A service behind [`Auth`]; its calls carry their [`Caller`](super::Caller) as an extension, and need what their method needs.
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
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        if method_of(S::NAME, request.uri().path()) == HANDSHAKE {
            return self.login.call(request).boxed();
        }
        let (auth, mut inner) = (Arc::clone(&self.auth), self.inner.clone());
        let check = async move {
            let credentials = Credentials::of_headers(request.headers());
            let peer = request.extensions().get::<Peer>().cloned();
            let checked = auth.check(credentials, peer.as_ref()).await;
            tell_peer(peer.as_ref(), checked.is_ok());
            match checked {
                Ok(caller) => {
                    let needed = needed(method_of(S::NAME, request.uri().path()));
                    if let Some(Err(refused)) = needed.map(|needed| caller.require(needed)) {
                        let status = forbidden(&refused);
                        telemetry::request_failed(&status);
                        return Ok(status.into_http());
                    }
                    request.extensions_mut().insert(caller);
                    inner.call(request).await
                }
                Err(denied) => Ok(unauthenticated(denied).into_http()),
            }
        };
        check.boxed()
    }
}

/// The method that a path names; empty where it is not of the service.
fn method_of<'a>(service: &str, path: &'a str) -> &'a str {
    let named = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    named.filter(|(found, _)| *found == service).map_or("", |(_, method)| method)
}

/// What a method needs before it is looked at further. What is put and what is done needs more or less: the service decides.
fn needed(method: &str) -> Option<Permission> {
    match method {
        "GetFlightInfo" | "PollFlightInfo" | "GetSchema" | "ListFlights" | "DoGet" => Some(Permission::Read),
        "DoPut" | "DoAction" | "ListActions" | "DoExchange" => None,
        // One that was added and forgotten here.
        _ => Some(Permission::Admin),
    }
}

/// The refusal of a call whose caller may not make it.
pub(crate) fn forbidden(refused: &Forbidden) -> Status {
    Status::permission_denied(refused.to_string())
}

/// Tells the connection of a call whether the call was let in.
pub(crate) fn tell_peer(peer: Option<&Peer>, is_let_in: bool) {
    match peer {
        Some(peer) if is_let_in => peer.welcome(),
        Some(peer) => peer.refuse(),
        None => {}
    }
}

/// The refusal of a Flight call.
pub(crate) fn unauthenticated(denied: Denied) -> Status {
    let status = match denied {
        Denied::Busy | Denied::TooManyFailures(_) => Status::resource_exhausted(denied.to_string()),
        _ => Status::unauthenticated(denied.to_string()),
    };
    telemetry::request_failed(&status);
    status
}
