//! The questions that most ask, as URLs: each is one statement with bound parameters, its answer repeats what was asked.
//!
//! ```text
//!  URL ─▶ asked (query_string, window) ─▶ aggregates, series, device_average, top_devices, geo_average
//!                                                        │ name, number: checked values
//!                                                        ▼
//!                                                      answer ─▶ queries
//!                                                        │ window_aggregates: a row of aggregates and series
//!                                                        ▼
//!                                                       JSON
//! ```

mod query_string;
mod window;
mod asked;
mod name;
mod number;
mod answer;
mod window_aggregates;
mod aggregates;
mod series;
mod device_average;
mod top_devices;
mod geo_average;

use std::sync::Arc;

use utoipa_axum::{router::OpenApiRouter, routes};

use super::HttpContext;

/// The routes of the questions.
pub(super) fn router() -> OpenApiRouter<Arc<HttpContext>> {
    OpenApiRouter::new()
        .routes(routes!(aggregates::aggregates))
        .routes(routes!(device_average::device_average))
        .routes(routes!(top_devices::top_devices))
        .routes(routes!(geo_average::geo_average))
}
