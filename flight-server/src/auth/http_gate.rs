//! The layer before every HTTP route: 401 for a caller who is not known. Health and metrics stay open, because orchestrators and
//! scrapers ask without credentials; they tell numbers, never events.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Auth, Credentials, Denied, Forbidden, Permission, flight_gate::tell_peer};
use crate::{listen::Peer, status::Problem};

/// How to authenticate; a browser asks for user and password when it reads this.
const CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"hexflight\", charset=\"UTF-8\", Bearer realm=\"hexflight\"");

/// When a client that found too many logins waiting is told to come back. **Units**: seconds.
const BUSY_RETRY_S: u64 = 2;

/// Where tokens are made; everybody who is known may make some.
const TOKENS: &str = "/api/v1/tokens";

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
                let needed = needed(request.method(), request.uri().path());
                match needed.map_or(Ok(()), |needed| caller.require(needed)) {
                    Ok(()) => {
                        request.extensions_mut().insert(caller);
                        next.run(request).await
                    }
                    Err(refused) => forbidden(&refused),
                }
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

/// Whether a path is for everybody.
pub(crate) fn is_open(path: &str) -> bool {
    path.starts_with("/health/") || path == "/metrics"
}

/// What a request needs.
fn needed(method: &Method, path: &str) -> Option<Permission> {
    match path {
        "/openapi.json" => None,
        path if path == TOKENS || path.starts_with("/api/v1/tokens/") => None,
        "/api/v1/events" | "/api/v1/import" => Some(Permission::Write),
        "/api/v1/sql" => Some(Permission::Read),
        path if path.starts_with("/api/v1/queries/") => Some(Permission::Read),
        _ if matches!(*method, Method::GET | Method::HEAD) => Some(Permission::Read),
        // One that was added and forgotten here.
        _ => Some(Permission::Admin),
    }
}

fn forbidden(refused: &Forbidden) -> Response {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", refused.to_string()).into_response()
}

fn unauthorized(denied: Denied) -> Response {
    let retry_after_s = match denied {
        Denied::Busy => Some(BUSY_RETRY_S),
        Denied::TooManyFailures(wait) => Some(wait.as_secs() + 1),
        _ => None,
    };
    if let Some(seconds) = retry_after_s {
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_logins", denied.to_string());
        return problem.with_retry_after(seconds).into_response();
    }
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", denied.to_string()).with_hint(
        "send the header Authorization with Basic credentials of a user of the server's auth_file",
    );
    let mut response = problem.into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
    response
}
