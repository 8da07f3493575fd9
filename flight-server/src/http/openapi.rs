//! The router merges the routes of all parts of the API; the OpenAPI document describes them.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::get};
use utoipa::{OpenApi, openapi};
use utoipa_axum::router::OpenApiRouter;

use super::{HttpContext, events, health, import, queries, questions, sql, tokens};
use crate::status::ProblemBody;

/// The frame of the OpenAPI document; paths come from the handlers.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hexflight",
        description = "Real-time, geo-temporal analytics for IoT events: JSON in, exact aggregates out."
    ),
    components(schemas(ProblemBody<'static>)),
    tags(
        (name = "ingest", description = "Events in; an answer of 200 means durable and visible"),
        (name = "questions", description = "Ready-made aggregates over a window of time"),
        (name = "sql", description = "Any question"),
        (name = "tokens", description = "What programs log in with"),
        (name = "health", description = "For orchestrators and scrapers"),
    )
)]
struct Frame;

/// All routes of the API, with the document that describes them.
pub(super) fn router() -> Router<Arc<HttpContext>> {
    // One line for each part of the API.
    let (router, document) = OpenApiRouter::with_openapi(Frame::openapi())
        .merge(events::router())
        .merge(import::router())
        .merge(questions::router())
        .merge(sql::router())
        .merge(queries::router())
        .merge(tokens::router())
        .merge(health::router())
        .split_for_parts();
    router.route("/openapi.json", get(openapi_json)).layer(axum::Extension(Arc::new(document)))
}

async fn openapi_json(
    State(_): State<Arc<HttpContext>>,
    axum::Extension(document): axum::Extension<Arc<openapi::OpenApi>>,
) -> Json<openapi::OpenApi> {
    Json(openapi::OpenApi::clone(&document))
}
