//! HTTP: liveness, readiness and metrics. Answers from the first moment of a start to the last of a shutdown, so that an
//! orchestrator sees why the server does not take work yet, or no longer.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use hexflight_engine::Engine;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;

use crate::telemetry::{self, Readiness};

/// Version of the Prometheus text format.
const METRICS_CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// What the answers are made of.
#[derive(Debug)]
pub(crate) struct HttpContext {
    pub(crate) readiness: Readiness,
    /// Set once it is open.
    pub(crate) engine: OnceLock<Arc<Engine>>,
    prometheus: PrometheusHandle,
}

impl HttpContext {
    pub(crate) fn starting() -> Self {
        Self {
            readiness: Readiness::starting(),
            engine: OnceLock::new(),
            prometheus: telemetry::prometheus(),
        }
    }

    /// Folds what was recorded into the histograms; without it they grow until somebody asks for them.
    pub(crate) fn upkeep(&self) {
        self.prometheus.run_upkeep();
    }

    fn ready(&self) -> Result<(), String> {
        self.readiness.get()?;
        self.engine.get().map_or(Ok(()), |engine| engine.health())
    }
}

/// Serves until `stop` resolves; requests that have begun are answered.
///
/// # Errors
/// The listener failed.
pub(crate) async fn serve(
    listener: TcpListener,
    context: Arc<HttpContext>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(context);
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

/// The process answers: restarting it would not help.
async fn live() -> &'static str {
    "ok\n"
}

async fn ready(State(context): State<Arc<HttpContext>>) -> impl IntoResponse {
    match context.ready() {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn metrics(State(context): State<Arc<HttpContext>>) -> impl IntoResponse {
    if let Some(engine) = context.engine.get() {
        telemetry::memory_used(engine.budget());
    }
    ([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], context.prometheus.render())
}
