//! Serves the routes over the connections of a [`Listener`]: HTTP/1.1. A request that is not sent on
//! ends its connection; whatever arrives of a head is bounded.

use std::{pin::pin, time::Duration};

use axum::{Router, body::Body, http};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use crate::listen::{Connection, Listener};

/// How long the head of a request may take, and how long a connection may wait for its next one. Proxies keep theirs for a minute.
const HEAD_WAIT: Duration = Duration::from_secs(75);

/// Serves until `stop`; requests that have begun are answered.
pub(super) async fn serve(listener: Listener, router: Router, stop: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let connection = tokio::select! {
            () = stop.cancelled() => break,
            connection = listener.accept() => connection,
        };
        connections.spawn(serve_one(connection, router.clone(), stop.clone()));
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn serve_one(connection: Connection, router: Router, stop: CancellationToken) {
    let peer = connection.peer().clone();
    let service = router.map_request(move |request: http::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        request
    });
    let builder = builder();
    let serving = builder.serve_connection(TokioIo::new(connection), TowerToHyperService::new(service));
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("HTTP connection: {error}");
    }
}

/// HTTP/1.1 alone: what HTTP/2 lets strangers begin at once on one connection would have to be bounded once more.
fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT);
    builder
}
