//! `/api/v1`: the routes of the JSON API, their OpenAPI document, and what every handler works with.

use std::{path::PathBuf, sync::Arc};

use axum::{
    Json, Router,
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
    routing::get,
};
use hexflight_engine::Engine;
use hexflight_planner::Asker;
use utoipa::{OpenApi, openapi};
use utoipa_axum::router::OpenApiRouter;

use super::{HttpContext, body::BodyMemory, events, health, import, queries, questions, sql, tokens};
use crate::{
    arrival::ArrivalMemory,
    auth::Caller,
    queries::{Asked, OwnLimit, QueryService},
    status::{Problem, ProblemBody},
};

/// When a client that came too early or too late is told to come back. **Units**: seconds.
const NOT_READY_RETRY_S: u64 = 1;

/// What handlers work with; there once the engine is open. Each request has its own.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) engine: Arc<Engine>,
    pub(crate) queries: Arc<QueryService>,
    pub(crate) limits: ApiLimits,
    /// What bodies may take together.
    pub(crate) bodies: Arc<BodyMemory>,
    /// What the pages of files to import may take together.
    pub(crate) pages: Arc<ArrivalMemory>,
    /// On whose behalf statements run.
    pub(crate) asker: Asker,
}

impl Api {
    /// Begins a query of the request's asker.
    pub(crate) fn begin(&self, own: Option<OwnLimit>) -> Asked {
        self.queries.begin(self.asker.clone(), own)
    }
}

/// Bounds of requests.
#[derive(Debug, Clone)]
pub(crate) struct ApiLimits {
    /// Largest body taken, as it is sent. **Units**: bytes.
    pub(crate) body_bytes_max: usize,
    /// Largest body taken, once it is decompressed. **Units**: bytes.
    pub(crate) plain_bytes_max: usize,
    /// Largest file taken to import. **Units**: bytes.
    pub(crate) import_bytes_max: u64,
    /// Where files to import wait to be read.
    pub(crate) scratch_dir: PathBuf,
}

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
