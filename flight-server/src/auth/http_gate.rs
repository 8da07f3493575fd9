//! The layer before every HTTP route: 401 for a caller who is not known. Health and metrics stay open, because orchestrators and
//! scrapers ask without credentials; they tell numbers, never events.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Auth, Credentials, Denied, flight_gate::tell_peer};
use crate::{http::Problem, listen::Peer};

/// How to authenticate; a browser asks for user and password when it reads this.
const CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"hexflight\", charset=\"UTF-8\", Bearer realm=\"hexflight\"");

/// When a client that found too many logins waiting is told to come back. **Units**: seconds.
const BUSY_RETRY_S: u64 = 2;

const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Runs the request if its caller is known.
pub(crate) async fn require(State(auth): State<Arc<Auth>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().cloned();
    let is_open = auth.is_on() && is_open(request.uri().path());
    let response = if is_open {
        next.run(request).await
    } else {
        let credentials = Credentials::of_headers(request.headers());
        let checked = auth.check(credentials, peer.as_ref()).await;
        tell_peer(peer.as_ref(), checked.is_ok());
        match checked {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                next.run(request).await
            }
            Err(denied) => unauthorized(denied),
        }
    };
    without_keepalive(response, peer.is_some_and(|peer| peer.is_stranger()))
}

/// The connection of a stranger ends in half a minute anyway: told beforehand, no client sends a request into its end.
fn without_keepalive(mut response: Response, is_stranger: bool) -> Response {
    if is_stranger {
        response.headers_mut().insert(header::CONNECTION, CLOSE);
    }
    response
}

fn is_open(path: &str) -> bool {
    path.starts_with("/health/") || path == "/metrics"
}

fn unauthorized(denied: Denied) -> Response {
    if denied == Denied::Busy {
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_logins", denied.to_string());
        return problem.with_retry_after(BUSY_RETRY_S).into_response();
    }
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", denied.to_string()).with_hint(
        "send the header Authorization with Basic credentials of a user of the server's auth_file",
    );
    let mut response = problem.into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
    response
}
