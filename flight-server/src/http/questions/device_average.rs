//! Question 2: the average of a metric of one device.

use axum::{Json, http::Uri};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    aggregates::question,
    answer::ask,
    asked::Asked,
    name,
    query_string::{Plus, decode, undecodable},
    window::WindowQuery,
};
use crate::{
    http::{instant::UnixSeconds, ready::Ready},
    status::{Problem, QueryProblems, SumProblems},
};

const SQL: &str = "SELECT count(*), avg(value) FROM events \
     WHERE type = $1 AND timestamp >= $2 AND timestamp < $3 AND device_id = $4";

/// Where the device stands among the parts of the path `/api/v1/devices/{device_id}/average`.
const DEVICE_PART: usize = 4;

/// The parameters of the question.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DeviceAverageQuery {
    /// The metric: the type of its events. May be given as `metric_name` instead.
    #[param(required = true, min_length = 1, max_length = 256, example = "temperature")]
    r#type: Option<String>,
    /// The same as `type`; one of the two is given.
    #[param(min_length = 1, max_length = 256)]
    metric_name: Option<String>,
}

/// The average of a device's metric in a window; null without events.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceAverage {
    #[schema(example = "thermo-1")]
    device_id: String,
    #[schema(example = "temperature")]
    r#type: String,
    /// The first moment of the window.
    time_window_start: UnixSeconds,
    /// The first moment after the window.
    time_window_end: UnixSeconds,
    /// Events that the average is of.
    #[schema(minimum = 0)]
    count: i64,
    #[schema(required = true)]
    avg: Option<f64>,
}

/// The average of a metric of one device in a window.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device_id}/average",
    tag = "questions",
    operation_id = "device_average",
    params(
        ("device_id" = String, Path, min_length = 1, max_length = 256, example = "thermo-1",
         description = "The device, percent-encoded: a / within its name is %2F"),
        DeviceAverageQuery, WindowQuery
    ),
    responses((status = 200, description = "The average", body = DeviceAverage), QueryProblems, SumProblems)
)]
pub(super) async fn device_average(
    Ready(api): Ready,
    uri: Uri,
    Asked { query, window }: Asked<DeviceAverageQuery>,
) -> Result<Json<DeviceAverage>, Problem> {
    let device = name::checked("device_id", device_of(&uri)?)?;
    let metric = name::metric(("type", query.r#type), ("metric_name", query.metric_name))?;
    let rows = ask(&api, SQL, question(&metric, window, Some(&device))).await?;
    Ok(Json(DeviceAverage {
        device_id: device,
        r#type: metric,
        time_window_start: window.start(),
        time_window_end: window.end(),
        count: rows.integer(0, 0)?,
        avg: rows.float(1, 0)?,
    }))
}

/// Decoded here and not by the router, which lets a stray % pass.
fn device_of(uri: &Uri) -> Result<String, Problem> {
    let part = uri.path().split('/').nth(DEVICE_PART).unwrap_or_default();
    decode(part, Plus::IsPlus).map_err(|rule| undecodable("device_id", part, rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_may_be_any_text() {
        let device =
            |part: &str| device_of(&format!("/api/v1/devices/{part}/average").parse::<Uri>().unwrap()).ok();
        assert_eq!(device("a%2Fb%20+%C3%A9").as_deref(), Some("a/b +é"));
        assert_eq!(device("%FF"), None);
        assert_eq!(device("%2"), None);
    }
}
