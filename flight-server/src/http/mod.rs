//! HTTP: the JSON API, liveness, readiness and metrics. Answers from the first moment of a start to the last of a shutdown, so
//! that an orchestrator sees why the server does not take work yet, or no longer.
//!
//! ```text
//!  request ─▶ under_way ─▶ request_id (id, log, problem bodies) ─▶ cors ─▶ origin ─▶ auth ─▶ openapi (routes) ─┐
//!      ┌───────────────────────────────────────────────────────────────────────────────────────────────────────┘
//!      ├─▶ ready ─▶ events, questions, sql ─▶ engine, planner
//!      └─▶ health
//! ```

mod context;
mod request_id;
mod hint;
mod instant;
mod body;
mod pace;
mod ready;
mod events;
mod import;
mod questions;
mod sql;
mod health;
mod openapi;
mod cors;
mod origin;
mod tokens;
mod queries;
mod under_way;
mod serve;

use std::sync::Arc;

use axum::{Router, extract::Request, http::StatusCode, middleware};
use tokio_util::sync::CancellationToken;

use crate::{auth, listen::Listener, status::Problem};

pub(crate) use body::BodyMemory;
pub(crate) use context::{Api, ApiLimits, HttpContext};

/// Serves until `stop`; requests that have begun are answered.
pub(crate) async fn serve(listener: Listener, context: Arc<HttpContext>, stop: CancellationToken) {
    let router = Router::new()
        .merge(openapi::router())
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
