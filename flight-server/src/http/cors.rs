//! Cross-origin requests: which pages a browser lets read answers, and the preflights by which it asks. Stands before
//! authentication, because a preflight carries no credentials; it tells nothing but what is allowed.

use std::time::Duration;

use axum::http::{HeaderName, Method, header};
use tower_http::cors::{AllowHeaders, AllowOrigin, Any, CorsLayer};

use crate::config::CorsOrigins;

/// How long a browser may remember an answer to a preflight: an hour, which is more than most keep it.
const MAX_AGE: Duration = Duration::from_hours(1);

/// Headers of answers that a page may read besides those that it always may.
const EXPOSED: [HeaderName; 3] =
    [HeaderName::from_static("x-request-id"), header::RETRY_AFTER, header::WWW_AUTHENTICATE];

/// The layer for these origins; `None` where browsers need no telling.
pub(super) fn layer(origins: &CorsOrigins) -> Option<CorsLayer> {
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST])
        // Whatever is asked for: Authorization, Content-Type, Accept, the ce- headers of events.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(EXPOSED)
        .max_age(MAX_AGE);
    match origins {
        CorsOrigins::Own => None,
        CorsOrigins::Any => Some(layer.allow_origin(Any)),
        // Pages that are named may also send what the browser itself knows, such as a password that it was told.
        CorsOrigins::Only(names) => {
            Some(layer.allow_origin(AllowOrigin::list(names.clone())).allow_credentials(true))
        }
    }
}
