//! Question 4: the average of a metric inside a box of latitudes and longitudes, borders included.

use std::ops::RangeInclusive;

use axum::Json;
use hexflight_planner::ScalarValue;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    aggregates::question, answer::ask, asked::Asked, name, number::number_in, query_string::missing,
    window::WindowQuery,
};
use crate::{
    http::{instant::UnixSeconds, ready::Ready},
    status::{Problem, QueryProblems, SumProblems},
};

const IN_BOX: &str = "SELECT count(*), avg(value) FROM events \
     WHERE type = $1 AND timestamp >= $2 AND timestamp < $3 \
     AND latitude >= $4 AND latitude <= $5 AND longitude >= $6 AND longitude <= $7";

const ACROSS_ANTIMERIDIAN: &str = "SELECT count(*), avg(value) FROM events \
     WHERE type = $1 AND timestamp >= $2 AND timestamp < $3 \
     AND latitude >= $4 AND latitude <= $5 AND (longitude >= $6 OR longitude <= $7)";

/// **Units**: degrees, WGS84.
const LATITUDES: RangeInclusive<f64> = -90.0..=90.0;
const LONGITUDES: RangeInclusive<f64> = -180.0..=180.0;

/// The parameters of the question.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct GeoAverageQuery {
    /// The metric: the type of its events. May be given as `metric_name` instead.
    #[param(required = true, min_length = 1, max_length = 256, example = "temperature")]
    r#type: Option<String>,
    /// The same as `type`; one of the two is given.
    #[param(min_length = 1, max_length = 256)]
    metric_name: Option<String>,
    /// Southern border, which belongs to the box. Degrees, WGS84.
    #[param(value_type = f64, required = true, minimum = -90, maximum = 90, example = 52.3)]
    min_latitude: Option<String>,
    /// Northern border, which belongs to the box. Degrees, WGS84.
    #[param(value_type = f64, required = true, minimum = -90, maximum = 90, example = 52.7)]
    max_latitude: Option<String>,
    /// Western border, which belongs to the box. Degrees, WGS84. Greater than `max_longitude`: the box crosses the antimeridian.
    #[param(value_type = f64, required = true, minimum = -180, maximum = 180, example = 13.0)]
    min_longitude: Option<String>,
    /// Eastern border, which belongs to the box. Degrees, WGS84.
    #[param(value_type = f64, required = true, minimum = -180, maximum = 180, example = 13.8)]
    max_longitude: Option<String>,
}

/// The average of a metric in a box and a window; null without events. Events without a position are in no box.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GeoAverage {
    #[schema(example = "temperature")]
    r#type: String,
    #[schema(minimum = -90, maximum = 90)]
    min_latitude: f64,
    #[schema(minimum = -90, maximum = 90)]
    max_latitude: f64,
    #[schema(minimum = -180, maximum = 180)]
    min_longitude: f64,
    #[schema(minimum = -180, maximum = 180)]
    max_longitude: f64,
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

/// A box on the globe; one without area means exactly its points.
#[derive(Debug, Clone, Copy, PartialEq)]
struct GeoBox {
    min_latitude: f64,
    max_latitude: f64,
    min_longitude: f64,
    max_longitude: f64,
}

/// The average of a metric inside a box in a window.
#[utoipa::path(
    get,
    path = "/api/v1/geo/average",
    tag = "questions",
    operation_id = "geo_average",
    params(GeoAverageQuery, WindowQuery),
    responses((status = 200, description = "The average", body = GeoAverage), QueryProblems, SumProblems)
)]
pub(super) async fn geo_average(
    Ready(api): Ready,
    Asked { query, window }: Asked<GeoAverageQuery>,
) -> Result<Json<GeoAverage>, Problem> {
    let area = GeoBox::of(&query)?;
    let metric = name::metric(("type", query.r#type), ("metric_name", query.metric_name))?;
    let mut params = question(&metric, window, None);
    params.extend(area.bounds());
    let rows = ask(&api, area.sql(), params).await?;
    Ok(Json(GeoAverage {
        r#type: metric,
        min_latitude: area.min_latitude,
        max_latitude: area.max_latitude,
        min_longitude: area.min_longitude,
        max_longitude: area.max_longitude,
        time_window_start: window.start(),
        time_window_end: window.end(),
        count: rows.integer(0, 0)?,
        avg: rows.float(1, 0)?,
    }))
}

impl GeoBox {
    fn of(query: &GeoAverageQuery) -> Result<Self, Problem> {
        let area = Self {
            min_latitude: degrees("min_latitude", query.min_latitude.as_deref(), &LATITUDES)?,
            max_latitude: degrees("max_latitude", query.max_latitude.as_deref(), &LATITUDES)?,
            min_longitude: degrees("min_longitude", query.min_longitude.as_deref(), &LONGITUDES)?,
            max_longitude: degrees("max_longitude", query.max_longitude.as_deref(), &LONGITUDES)?,
        };
        if area.min_latitude > area.max_latitude {
            let text = query.min_latitude.as_deref().unwrap_or_default();
            let rule = format!("must not be above max_latitude = {}", area.max_latitude);
            return Err(Problem::parameter("min_latitude", text, &rule));
        }
        Ok(area)
    }

    fn sql(self) -> &'static str {
        if self.min_longitude > self.max_longitude { ACROSS_ANTIMERIDIAN } else { IN_BOX }
    }

    /// The parameters `$4` to `$7`. Arrow orders −0.0 before 0.0, on the globe they are one: a lower border of zero starts at −0.0
    /// and an upper one ends at 0.0.
    fn bounds(self) -> [ScalarValue; 4] {
        let lower = |degrees: f64| if degrees == 0.0 { -0.0 } else { degrees };
        let upper = |degrees: f64| if degrees == 0.0 { 0.0 } else { degrees };
        [
            lower(self.min_latitude),
            upper(self.max_latitude),
            lower(self.min_longitude),
            upper(self.max_longitude),
        ]
        .map(|degrees| ScalarValue::Float64(Some(degrees)))
    }
}

fn degrees(name: &str, text: Option<&str>, range: &RangeInclusive<f64>) -> Result<f64, Problem> {
    let text = text.ok_or_else(|| {
        missing(name, "a box has min_latitude, max_latitude, min_longitude and max_longitude, in degrees")
    })?;
    number_in(name, text, "a number of degrees", range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_may_have_no_area_and_may_cross_the_antimeridian() {
        assert_eq!(area(["1", "1", "2", "2"]).unwrap().sql(), IN_BOX);
        assert_eq!(area(["1", "1", "170", "-170"]).unwrap().sql(), ACROSS_ANTIMERIDIAN);
        assert_eq!(area(["-90", "90", "-180", "180"]).unwrap().sql(), IN_BOX);
    }

    #[test]
    fn what_is_no_box_is_refused() {
        for bad in [
            ["2", "1", "0", "0"],
            ["-91", "1", "0", "0"],
            ["0", "91", "0", "0"],
            ["0", "1", "-180.1", "0"],
            ["0", "1", "0", "NaN"],
            ["0", "1", "0", ""],
        ] {
            assert!(area(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn both_zeros_are_inside_a_border_of_zero() {
        let bounds = area(["0", "0", "0", "0"]).unwrap().bounds();
        let signs: Vec<_> = bounds
            .iter()
            .map(|bound| matches!(bound, ScalarValue::Float64(Some(zero)) if zero.is_sign_negative()))
            .collect();
        assert_eq!(signs, [true, false, true, false]);
    }

    fn area([south, north, west, east]: [&str; 4]) -> Result<GeoBox, Problem> {
        let text = |text: &str| Some(text.to_owned());
        GeoBox::of(&GeoAverageQuery {
            r#type: None,
            metric_name: None,
            min_latitude: text(south),
            max_latitude: text(north),
            min_longitude: text(west),
            max_longitude: text(east),
        })
    }
}
