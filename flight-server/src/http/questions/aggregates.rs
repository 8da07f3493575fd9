//! Question 1: count, sum, average, minimum and maximum of a metric in a window, whole or in steps.

use axum::Json;
use hexflight_planner::ScalarValue;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    answer::{ask, bounds, text},
    asked::Asked,
    name,
    series::{Series, series},
    window::{LengthText, Window, WindowQuery},
    window_aggregates::WindowAggregates,
};
use crate::{
    http::ready::Ready,
    status::{Problem, QueryProblems, SumProblems},
};

const OF_METRIC: &str = "SELECT count(*), sum(value), avg(value), min(value), max(value) FROM events \
     WHERE type = $1 AND timestamp >= $2 AND timestamp < $3";

const OF_DEVICE: &str = "SELECT count(*), sum(value), avg(value), min(value), max(value) FROM events \
     WHERE type = $1 AND timestamp >= $2 AND timestamp < $3 AND device_id = $4";

/// The parameters of the question.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AggregatesQuery {
    /// The metric: the `type` of its events. May be given as `type` instead.
    #[param(required = true, min_length = 1, max_length = 256, example = "temperature")]
    metric_name: Option<String>,
    /// The same as `metric_name`; one of the two is given.
    #[param(min_length = 1, max_length = 256)]
    r#type: Option<String>,
    /// Only events of this device.
    #[param(min_length = 1, max_length = 256, example = "thermo-1")]
    device_id: Option<String>,
    /// Cuts the window into steps of this length and answers with a series: at most 10,000 steps, the last one cut at the end.
    #[param(value_type = Option<LengthText>, inline, example = "10s")]
    step: Option<String>,
}

/// One window, or, with `step`, a series of them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Aggregates {
    Window(WindowAggregates),
    Series(Series),
}

/// count, sum, avg, min and max of a metric in a window.
#[utoipa::path(
    get,
    path = "/api/v1/aggregates",
    tag = "questions",
    operation_id = "aggregates",
    params(AggregatesQuery, WindowQuery),
    responses(
        (status = 200, description = "The aggregates; with `step` a series of them", body = Aggregates),
        QueryProblems,
        SumProblems,
    )
)]
pub(super) async fn aggregates(
    Ready(api): Ready,
    Asked { query, window }: Asked<AggregatesQuery>,
) -> Result<Json<Aggregates>, Problem> {
    let metric = name::metric(("metric_name", query.metric_name), ("type", query.r#type))?;
    let device = query.device_id.map(|device| name::checked("device_id", device)).transpose()?;
    if let Some(step) = &query.step {
        let series = series(&api, &metric, device.as_deref(), window, step).await?;
        return Ok(Json(Aggregates::Series(series)));
    }
    let sql = if device.is_some() { OF_DEVICE } else { OF_METRIC };
    let rows = ask(&api, sql, question(&metric, window, device.as_deref())).await?;
    Ok(Json(Aggregates::Window(WindowAggregates::of_row(&metric, window, &rows, 0, 0)?)))
}

/// The parameters `$1` to `$3` of every question, and `$4` if there is one more text.
pub(super) fn question(metric: &str, window: Window, device: Option<&str>) -> Vec<ScalarValue> {
    let mut params = vec![text(metric)];
    params.extend(bounds(window));
    params.extend(device.map(text));
    params
}
