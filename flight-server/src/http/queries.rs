//! `DELETE /api/v1/queries/{id}`: ends a query by the id that `system.queries` shows.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::Path, http::StatusCode};
use serde::Serialize;
use utoipa::{
    IntoResponses, ToSchema,
    openapi::{RefOr, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{HttpContext, ready::Ready};
use crate::status::{Problem, documented};

/// Longest id that is repeated in an error. **Units**: characters.
const SHOWN_CHARS_MAX: usize = 40;

/// A query that was ended.
#[derive(Debug, Serialize, ToSchema)]
struct CancelledQuery {
    /// Its `query_id`.
    #[schema(minimum = 1, example = 42)]
    cancelled: u64,
}

/// What can go wrong with the end of one.
struct CancelProblems;

impl IntoResponses for CancelProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        documented(&[
            (400, "The id is no whole number"),
            (404, "No query of this id runs, or it is somebody else's"),
            (503, "The server does not take work: it starts or stops"),
        ])
    }
}

/// The route.
pub(super) fn router() -> OpenApiRouter<Arc<HttpContext>> {
    OpenApiRouter::new().routes(routes!(cancel))
}

/// End a query.
///
/// Its client gets an error. The id is the `query_id` of `system.queries`, and the header `X-Query-Id` of an answer to `/api/v1/sql`. Everybody
/// ends their own, an admin those of all.
#[utoipa::path(
    delete,
    path = "/api/v1/queries/{id}",
    tag = "sql",
    operation_id = "cancelQuery",
    params(("id" = u64, Path, description = "The `query_id` of the query", example = 42)),
    responses(
        (status = 200, description = "It is ended", body = CancelledQuery),
        CancelProblems,
    ),
)]
async fn cancel(Ready(api): Ready, Path(text): Path<String>) -> Result<Json<CancelledQuery>, Problem> {
    let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    let id: u64 = text.parse().map_err(|_| {
        Problem::parameter("id", &shown, "must be a whole number, a query_id of system.queries")
    })?;
    if api.queries.stop(id, &api.asker) {
        return Ok(Json(CancelledQuery { cancelled: id }));
    }
    let detail = format!("no query {id} of yours runs");
    Err(Problem::new(StatusCode::NOT_FOUND, "unknown_query", detail)
        .with_hint("SELECT query_id, state, sql FROM system.queries lists them"))
}
