//! The layer before every HTTP route: 401 for a caller who is not known. Health and metrics stay open, because orchestrators and
//! scrapers ask without credentials; they tell numbers, never events.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Auth, Denied};
use crate::http::Problem;

/// How to authenticate; a browser asks for user and password when it reads this.
const CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"hexflight\", charset=\"UTF-8\", Bearer realm=\"hexflight\"");

/// Runs the request if its caller is known.
pub(crate) async fn require(State(auth): State<Arc<Auth>>, mut request: Request, next: Next) -> Response {
    if !is_open(request.uri().path()) {
        match auth.check(request.headers()) {
            Ok(caller) => drop(request.extensions_mut().insert(caller)),
            Err(denied) => return unauthorized(denied),
        }
    }
    next.run(request).await
}

fn is_open(path: &str) -> bool {
    path.starts_with("/health/") || path == "/metrics"
}

fn unauthorized(denied: Denied) -> Response {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", denied.to_string()).with_hint(
        "send the header Authorization with Basic credentials of a user of the server's auth_file",
    );
    let mut response = problem.into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
    response
}
