//! Question 3: the devices with the most events of a metric. Exact; devices with as many events are in order of their ids.

use axum::Json;
use hexflight_planner::ScalarValue;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{aggregates::question, answer::ask, asked::Asked, name, number::number_in, window::WindowQuery};
use crate::{
    http::{instant::UnixSeconds, ready::Ready},
    status::{Problem, QueryProblems},
};

/// The second SELECT counts what the first has cut off; both read the statement's one snapshot.
const SQL: &str = "SELECT busiest.device_id, busiest.events, total.events FROM \
     (SELECT device_id, count(*) AS events FROM events \
      WHERE type = $1 AND timestamp >= $2 AND timestamp < $3 \
      GROUP BY device_id ORDER BY events DESC, device_id LIMIT $4) AS busiest \
     CROSS JOIN (SELECT count(*) AS events FROM events \
      WHERE type = $1 AND timestamp >= $2 AND timestamp < $3) AS total \
     ORDER BY busiest.events DESC, busiest.device_id";

const K_DEFAULT: i64 = 10;
const K_MAX: i64 = 10_000;

/// The parameters of the question.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TopDevicesQuery {
    /// The metric: the type of its events. May be given as `metric_name` instead.
    #[param(required = true, min_length = 1, max_length = 256, example = "temperature")]
    r#type: Option<String>,
    /// The same as `type`; one of the two is given.
    #[param(min_length = 1, max_length = 256)]
    metric_name: Option<String>,
    /// How many devices.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 10_000, default = 10, example = 10)]
    k: Option<String>,
}

/// The devices with the most events in a window.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TopDevices {
    #[schema(example = "temperature")]
    r#type: String,
    /// How many devices were asked for.
    #[schema(minimum = 1, maximum = 10_000)]
    k: i64,
    /// The first moment of the window.
    time_window_start: UnixSeconds,
    /// The first moment after the window.
    time_window_end: UnixSeconds,
    /// Events in the window, of all devices together.
    #[schema(minimum = 0)]
    count: i64,
    /// Most events first, then by `device_id` ascending (in order of code points).
    #[schema(max_items = 10_000)]
    devices: Vec<DeviceCount>,
}

/// A device and how many events it has.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceCount {
    #[schema(example = "thermo-1")]
    device_id: String,
    #[schema(minimum = 1)]
    count: i64,
}

/// The devices with the most events of a metric in a window.
#[utoipa::path(
    get,
    path = "/api/v1/top-devices",
    tag = "questions",
    operation_id = "top_devices",
    params(TopDevicesQuery, WindowQuery),
    responses((status = 200, description = "The devices", body = TopDevices), QueryProblems)
)]
pub(super) async fn top_devices(
    Ready(api): Ready,
    Asked { query, window }: Asked<TopDevicesQuery>,
) -> Result<Json<TopDevices>, Problem> {
    let metric = name::metric(("type", query.r#type), ("metric_name", query.metric_name))?;
    let k = match query.k {
        Some(text) => number_in("k", &text, "a whole number", &(1..=K_MAX))?,
        None => K_DEFAULT,
    };
    let mut params = question(&metric, window, None);
    params.push(ScalarValue::Int64(Some(k)));
    let rows = ask(&api, SQL, params).await?;
    let device = |row| Ok(DeviceCount { device_id: rows.text(0, row)?, count: rows.integer(1, row)? });
    Ok(Json(TopDevices {
        r#type: metric,
        k,
        time_window_start: window.start(),
        time_window_end: window.end(),
        count: if rows.count() == 0 { 0 } else { rows.integer(2, 0)? },
        devices: (0..rows.count()).map(device).collect::<Result<_, Problem>>()?,
    }))
}
