//! `POST /api/v1/sql`: any statement, its result in the format that the client reads.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use super::HttpContext;

/// The routes.
pub(super) fn router() -> OpenApiRouter<Arc<HttpContext>> {
    OpenApiRouter::new()
}
