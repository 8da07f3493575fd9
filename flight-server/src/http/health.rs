//! Liveness, readiness and metrics, for orchestrators and scrapers.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::HttpContext;
use crate::telemetry;

/// Version of the Prometheus text format.
const METRICS_CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// The routes.
pub(super) fn router() -> OpenApiRouter<Arc<HttpContext>> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready)).routes(routes!(metrics))
}

/// Whether the process answers; if not, restart it.
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "health",
    responses((status = 200, description = "It does", body = String, content_type = "text/plain", example = "ok\n"))
)]
async fn live() -> &'static str {
    "ok\n"
}

/// Whether the server takes work, with the reason when it does not. What the start found amiss follows, a line each.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "health",
    responses(
        (status = 200, description = "It does", body = String, content_type = "text/plain", example = "ready\n"),
        (status = 503, description = "It starts, stops or cannot write; the text says which", body = String,
         content_type = "text/plain", example = "starting: the engine is being opened\n"),
    )
)]
async fn ready(State(context): State<Arc<HttpContext>>) -> impl IntoResponse {
    match context.ready() {
        Ok(()) => (StatusCode::OK, format!("ready\n{}", context.warnings())),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

/// Metrics in the text format of Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain"))
)]
async fn metrics(State(context): State<Arc<HttpContext>>) -> impl IntoResponse {
    if let Some(api) = context.api.get() {
        telemetry::memory_used(api.engine.budget());
    }
    ([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], context.prometheus.render())
}
