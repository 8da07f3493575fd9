//! `Ready` gives a handler the [`Api`] of its own request, and refuses while the server does not take work.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};

use super::{Api, HttpContext};
use crate::{auth::Caller, status::Problem};

/// When a client that came too early or too late is told to come back. **Units**: seconds.
const NOT_READY_RETRY_S: u64 = 1;

/// Extracts the [`Api`] of a server that takes work; answers 503 otherwise.
pub(crate) struct Ready(pub(crate) Arc<Api>);

impl FromRequestParts<Arc<HttpContext>> for Ready {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Arc<HttpContext>) -> Result<Self, Problem> {
        let unavailable = |reason: &str| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", reason)
                .with_retry_after(NOT_READY_RETRY_S)
        };
        context.readiness.get().map_err(unavailable)?;
        let api = context.api.get().ok_or_else(|| unavailable("starting: the engine is being opened"))?;
        let asker = parts.extensions.get::<Caller>().cloned().unwrap_or_default().asker();
        Ok(Self(Arc::new(Api { asker, ..Api::clone(api) })))
    }
}
