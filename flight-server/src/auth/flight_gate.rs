//! `FlightGate`: stands before the Flight service and lets no call through whose caller is not known. Only `Handshake`, the call that
//! logs in, passes unseen. A method added to Flight later is guarded without anybody having to think of it.

use std::{
    convert::Infallible,
    future::ready,
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

use super::{Auth, Caller, Credentials, Decision, Denied, Forbidden, Permission};
use crate::{listen::Peer, telemetry};

/// The method that logs in.
const HANDSHAKE: &str = "Handshake";

/// A service behind [`Auth`]; its calls carry their [`Caller`] as an extension, and need what their method needs.
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
        let peer = request.extensions().get::<Peer>().cloned();
        let method = method_of(S::NAME, request.uri().path());
        if method == HANDSHAKE {
            return self.log_in(request, peer.as_ref());
        }
        let needed = needed(method);
        // Here and not in the future: thousands of those may wait to be polled, each with the head of its request.
        let pending = match self.auth.check_now(Credentials::of_headers(request.headers()), peer.as_ref()) {
            Decision::Now(checked) => {
                return match let_in(&mut request, checked, needed, peer.as_ref()) {
                    Ok(()) => self.inner.call(request).boxed(),
                    Err(status) => refused(status),
                };
            }
            Decision::Later(pending) => pending,
        };
        let mut inner = self.inner.clone();
        let verify = async move {
            let checked = pending.verify(peer.as_ref()).await;
            match let_in(&mut request, checked, needed, peer.as_ref()) {
                Ok(()) => inner.call(request).await,
                Err(status) => Ok(status.into_http()),
            }
        };
        verify.boxed()
    }
}

impl<S> FlightGate<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    /// Passes a login on, unless the stranger has begun too many.
    fn log_in(
        &mut self,
        request: http::Request<Body>,
        peer: Option<&Peer>,
    ) -> BoxFuture<'static, Result<http::Response<Body>, Infallible>> {
        let turn = peer.map(Peer::begin_login);
        if matches!(turn, Some(None)) {
            tell_peer(peer, false);
            return refused(unauthenticated(Denied::Busy));
        }
        let answer = self.login.call(request);
        async move {
            let _turn = turn;
            answer.await
        }
        .boxed()
    }
}

/// Lets a call in, or says why not.
fn let_in(
    request: &mut http::Request<Body>,
    checked: Result<Caller, Denied>,
    needed: Option<Permission>,
    peer: Option<&Peer>,
) -> Result<(), Status> {
    tell_peer(peer, checked.is_ok());
    let caller = checked.map_err(unauthenticated)?;
    if let Some(Err(refused)) = needed.map(|needed| caller.require(needed)) {
        let status = forbidden(&refused);
        telemetry::request_failed(&status);
        return Err(status);
    }
    request.extensions_mut().insert(caller);
    Ok(())
}

fn refused(status: Status) -> BoxFuture<'static, Result<http::Response<Body>, Infallible>> {
    ready(Ok(status.into_http())).boxed()
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
