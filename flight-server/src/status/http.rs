//! Errors as problems of the HTTP API: what to do about them, and when to come back.

use axum::http::StatusCode;
use hexflight_engine::EngineError;
use hexflight_planner::{DataFusionError, classify};

use super::{
    Problem,
    table::{of_engine, of_query},
};

/// When a client of a server that cannot take work is told to come back. **Units**: seconds.
const UNAVAILABLE_RETRY_S: u64 = 1;

/// The problem of an engine error.
pub(crate) fn engine_problem(error: &EngineError) -> Problem {
    let row = of_engine(error.kind());
    let problem = Problem::new(row.http, row.slug, error.to_string());
    match error.retry_ms() {
        Some(retry_ms) => problem.with_retry_after(retry_ms.div_ceil(1_000)),
        None if row.http == StatusCode::SERVICE_UNAVAILABLE => problem.with_retry_after(UNAVAILABLE_RETRY_S),
        _ => problem,
    }
}

/// The problem of a failed query.
pub(crate) fn query_problem(failure: &DataFusionError) -> Problem {
    let failure = classify(failure);
    let row = of_query(failure.kind);
    let problem = Problem::new(row.http, row.slug, failure.message);
    match (row.http, row.retry_ms) {
        (_, Some(retry_ms)) => problem.with_retry_after(retry_ms.div_ceil(1_000)),
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, None) => {
            problem.with_retry_after(UNAVAILABLE_RETRY_S)
        }
        (StatusCode::GATEWAY_TIMEOUT, None) => problem.with_hint("ask for less"),
        (StatusCode::REQUEST_TIMEOUT, None) => problem.with_hint("ask for less, or give it more time"),
        _ => problem,
    }
}
