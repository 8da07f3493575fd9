//! The layer around every request: gives it an id, logs what failed under that id, turns a panic into a 500, and writes the body
//! of problems. The id is the client's own `X-Request-Id` if it is one, and comes back in the same header.

use std::panic::AssertUnwindSafe;

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    middleware::Next,
    response::Response,
};
use futures::FutureExt;
use tracing::Instrument;

use crate::{listen::Peer, log_limit::LogLimit, status::Problem};
use hexflight_engine::{Ids as _, SystemIds};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Lines of refused requests of strangers.
static REFUSED: LogLimit = LogLimit::new();

/// Longest id that is taken over from a client. **Units**: bytes.
const ID_BYTES_MAX: usize = 128;

/// Of a path, in a line of the log: anybody can send a long one.
const PATH_CHARS_MAX: usize = 200;

/// Runs the request under its id.
pub(super) async fn layer(request: Request, next: Next) -> Response {
    let id = id_of(request.headers());
    let peer = request.extensions().get::<Peer>().cloned();
    let path: String = request.uri().path().chars().take(PATH_CHARS_MAX).collect();
    let method = request.method().clone();
    let span = tracing::info_span!("http", request_id = %id);
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span).await;
    let mut response = answered.unwrap_or_else(|_| {
        let problem = Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the request ran into a bug; the log has more under this id",
        );
        axum::response::IntoResponse::into_response(problem)
    });
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let (status, code, detail) = (problem.status().as_u16(), problem.code(), problem.detail());
        if problem.status().is_server_error() {
            tracing::warn!(request_id = %id, %method, path, status, code, detail, "HTTP request failed");
        } else {
            let log = |held_back| {
                tracing::info!(request_id = %id, %method, path, status, code, detail, held_back, "HTTP request refused");
            };
            if peer.is_none_or(|peer| peer.is_stranger()) { REFUSED.log(log) } else { log(0) }
        }
        // What the framework has set stays: a 405 says in Allow what would be right.
        let headers = std::mem::take(response.headers_mut());
        response = problem.respond(&id);
        for (name, value) in headers {
            if let Some(name) = name.filter(|name| !response.headers().contains_key(name)) {
                response.headers_mut().insert(name, value);
            }
        }
        response.headers_mut().remove(axum::http::header::CONTENT_LENGTH);
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn id_of(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let usable =
        |id: &&str| !id.is_empty() && id.len() <= ID_BYTES_MAX && id.bytes().all(|b| b.is_ascii_graphic());
    given.filter(usable).map_or_else(|| SystemIds.timed().to_string(), str::to_owned)
}
