//! Which web pages a browser may carry to the API. A page of somebody else can send requests with what the browser knows, or, by DNS
//! rebinding, under a name of its own that leads here; both are told by headers that a page cannot set.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{Method, StatusCode, header, request::Parts, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::HttpContext;
use crate::{auth::is_open, config::CorsOrigins, status::Problem};

/// Refuses requests of foreign pages.
pub(super) async fn layer(State(context): State<Arc<HttpContext>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    // A preflight asks whether it may, and is told by the headers of its answer.
    if parts.method != Method::OPTIONS && !is_open(parts.uri.path()) {
        let host = host_of(&parts);
        let checked = check_origin(&parts, host.as_ref(), &context.cors_origins).and_then(|()| {
            if context.auth.is_on() {
                Ok(())
            } else {
                {
                    let has_host = parts.headers.contains_key(header::HOST);
                    check_host(host.as_ref(), has_host, &context.cors_origins)
                }
            }
        });
        if let Err(problem) = checked {
            return problem.into_response();
        }
    }
    next.run(Request::from_parts(parts, body)).await
}

/// The host that was asked for: of HTTP/2's `:authority`, or `Host`.
fn host_of(parts: &Parts) -> Option<Authority> {
    let header = || parts.headers.get(header::HOST)?.to_str().ok()?.parse().ok();
    parts.uri.authority().cloned().or_else(header)
}

/// Pages of the server's own origin, and of the list.
fn check_origin(parts: &Parts, host: Option<&Authority>, origins: &CorsOrigins) -> Result<(), Problem> {
    let Some(origin) = parts.headers.get(header::ORIGIN) else { return Ok(()) };
    let is_listed = match origins {
        CorsOrigins::Any => true,
        CorsOrigins::Only(names) => names.contains(origin),
        CorsOrigins::Own => false,
    };
    let origin = origin.to_str().unwrap_or("?");
    let own = origin.split_once("://").map(|(_, authority)| authority);
    if is_listed || own.is_some_and(|own| host.is_some_and(|host| host.as_str().eq_ignore_ascii_case(own))) {
        return Ok(());
    }
    let detail = format!("pages of {origin} may not use this API");
    Err(Problem::new(StatusCode::FORBIDDEN, "foreign_origin", detail)
        .with_hint("the server's setting cors_origins names the origins that may"))
}

/// Names that a stranger can make lead here are refused: one that can be bought has a dot.
fn check_host(host: Option<&Authority>, has_host: bool, origins: &CorsOrigins) -> Result<(), Problem> {
    let Some(host) = host else {
        if !has_host {
            return Ok(());
        }
        let detail = "the header Host cannot be read";
        return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "foreign_host", detail));
    };
    if is_local_name(host.host()) || is_listed(host, origins) {
        return Ok(());
    }
    let detail = format!("this server does not answer under the name {}", host.host());
    Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "foreign_host", detail).with_hint(
        "ask for its address or localhost, set users (auth_file), or name http://HOST:PORT in cors_origins",
    ))
}

fn is_local_name(host: &str) -> bool {
    let is_address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    is_address || !host.contains('.') || host.ends_with(".localhost")
}

fn is_listed(host: &Authority, origins: &CorsOrigins) -> bool {
    match origins {
        CorsOrigins::Any => true,
        CorsOrigins::Own => false,
        CorsOrigins::Only(names) => names.iter().filter_map(|name| name.to_str().ok()).any(|name| {
            name.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host.as_str()))
        }),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const LIST: &str = "https://iot.example:8443";

    #[test]
    fn foreign_pages_are_refused_and_those_of_the_list_and_our_own_are_not() {
        let list = CorsOrigins::Only(vec![HeaderValue::from_static(LIST)]);
        let allowed = |origin: &str, origins: &CorsOrigins| {
            let (parts, ()) =
                axum::http::Request::builder().header("origin", origin).body(()).unwrap().into_parts();
            check_origin(&parts, Some(&"localhost:8080".parse().unwrap()), origins).is_ok()
        };
        assert!(allowed("http://localhost:8080", &CorsOrigins::Own));
        assert!(allowed(LIST, &list) && allowed(LIST, &CorsOrigins::Any));
        for foreign in [LIST, "http://localhost:8081", "http://localhost:8080.evil.example", "null", ""] {
            assert!(!allowed(foreign, &CorsOrigins::Own), "{foreign}");
        }
        assert!(!allowed("https://iot.example", &list));
    }

    #[test]
    fn names_that_can_be_bought_are_refused() {
        let list = CorsOrigins::Only(vec![HeaderValue::from_static(LIST)]);
        let allowed = |host: &str, origins: &CorsOrigins| {
            check_host(Some(&host.parse().unwrap()), true, origins).is_ok()
        };
        for local in [
            "localhost:8080",
            "LOCALHOST",
            "127.0.0.1:8080",
            "[::1]:8080",
            "10.1.2.3",
            "hexflight",
            "a.localhost",
        ] {
            assert!(allowed(local, &CorsOrigins::Own), "{local}");
        }
        for foreign in ["evil.example:8080", "localhost.evil.example", "1.2.3.4.evil.example"] {
            assert!(!allowed(foreign, &CorsOrigins::Own), "{foreign}");
            assert!(!allowed(foreign, &list) && allowed(foreign, &CorsOrigins::Any), "{foreign}");
        }
        assert!(allowed("iot.example:8443", &list));
        assert!(check_host(None, false, &CorsOrigins::Own).is_ok());
        assert!(check_host(None, true, &CorsOrigins::Own).is_err(), "a Host that cannot be read");
    }
}
