//! HTTP: the JSON API, liveness, readiness and metrics. Answers from the first moment of a start to the last of a shutdown, so
//! that an orchestrator sees why the server does not take work yet, or no longer.
//!
//! ```text
//!  request ─▶ under_way ─▶ request_id (id, log, problem bodies) ─▶ cors ─▶ origin ─▶ auth ─┬─▶ api ─▶ events, questions, sql ─▶ engine, planner
//!                                                                             └─▶ health
//! ```

mod request_id;
mod hint;
mod instant;
mod body;
mod pace;
mod events;
mod import;
mod questions;
mod sql;
mod health;
mod api;
mod cors;
mod origin;
mod tokens;
mod queries;
mod under_way;
mod serve;

use std::sync::{Arc, OnceLock};

use axum::{Router, extract::Request, http::StatusCode, middleware};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    auth::{self, Auth},
    config::CorsOrigins,
    listen::Listener,
    status::Problem,
    telemetry::{self, Readiness},
};

pub(crate) use api::{Api, ApiLimits};
pub(crate) use body::BodyMemory;

/// What the answers are made of.
#[derive(Debug)]
pub(crate) struct HttpContext {
    pub(crate) readiness: Readiness,
    /// Those that are being answered.
    pub(crate) requests: TaskTracker,
    auth: Arc<Auth>,
    cors_origins: CorsOrigins,
    /// Set once the engine is open.
    pub(crate) api: OnceLock<Arc<Api>>,
    prometheus: PrometheusHandle,
}

impl HttpContext {
    pub(crate) fn starting(auth: Arc<Auth>, cors_origins: CorsOrigins) -> Self {
        Self {
            readiness: Readiness::starting(),
            requests: TaskTracker::new(),
            auth,
            cors_origins,
            api: OnceLock::new(),
            prometheus: telemetry::prometheus(),
        }
    }

    /// Folds what was recorded into the histograms; without it they grow until somebody asks for them.
    pub(crate) fn upkeep(&self) {
        self.prometheus.run_upkeep();
    }

    fn ready(&self) -> Result<(), String> {
        self.readiness.get()?;
        self.api.get().map_or(Ok(()), |api| api.engine.health())
    }

    /// What the start found amiss, a line each.
    fn warnings(&self) -> String {
        let findings = self.api.get().map(|api| api.engine.findings()).unwrap_or_default();
        findings.iter().map(|finding| format!("warning: {finding}\n")).collect()
    }
}

/// Serves until `stop`; requests that have begun are answered.
pub(crate) async fn serve(listener: Listener, context: Arc<HttpContext>, stop: CancellationToken) {
    let router = Router::new()
        .merge(api::router())
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&context.auth), auth::require))
        .layer(middleware::from_fn_with_state(Arc::clone(&context), origin::layer));
    let router = match cors::layer(&context.cors_origins) {
        Some(layer) => router.layer(layer),
        None => router,
    };
    let router = router
        .layer(middleware::from_fn(request_id::layer))
        .layer(middleware::from_fn_with_state(Arc::clone(&context), under_way::layer))
        .with_state(context);
    serve::serve(listener, router, stop).await;
}

async fn unknown_path(request: Request) -> Problem {
    let path: String = request.uri().path().chars().take(200).collect();
    Problem::new(StatusCode::NOT_FOUND, "unknown_path", format!("nothing is at {path}"))
        .with_hint("/openapi.json lists every path")
}

async fn wrong_method(request: Request) -> Problem {
    let detail = format!("{} does not take {}", request.uri().path(), request.method());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", detail).with_hint("see /openapi.json")
}
