//! The questions that most ask, as URLs: each is one statement with bound parameters.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use super::HttpContext;

/// The routes.
pub(super) fn router() -> OpenApiRouter<Arc<HttpContext>> {
    OpenApiRouter::new()
}
