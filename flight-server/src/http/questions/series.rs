//! Question 1 in steps: the aggregates of every step of a window, also of those without events.

use hexflight_planner::ScalarValue;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answer::{ask, bounds, text},
    window::{Window, length_micros},
    window_aggregates::WindowAggregates,
};
use crate::{
    http::{Api, instant::UnixSeconds},
    status::Problem,
};

/// Most steps of a series: what fits a chart several times over.
const STEPS_MAX: i64 = 10_000;

/// `$4` and `$5`: start of the window and length of a step in µs. No event lies before the start, so the division cuts down.
const OF_METRIC: &str = "SELECT (CAST(timestamp AS BIGINT) - $4) / $5 AS step, \
     count(*), sum(value), avg(value), min(value), max(value) FROM events \
     WHERE type = $1 AND timestamp >= $2 AND timestamp < $3 GROUP BY step";

const OF_DEVICE: &str = "SELECT (CAST(timestamp AS BIGINT) - $4) / $5 AS step, \
     count(*), sum(value), avg(value), min(value), max(value) FROM events \
     WHERE type = $1 AND timestamp >= $2 AND timestamp < $3 AND device_id = $6 GROUP BY step";

/// The aggregates of each step of a window.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Series {
    #[schema(example = "temperature")]
    metric_name: String,
    /// The first moment of the window.
    time_window_start: UnixSeconds,
    /// The first moment after the window.
    time_window_end: UnixSeconds,
    /// Length of a step, as it was asked for.
    #[schema(example = "10s")]
    step: String,
    /// In order of time, without gaps; the last step ends with the window.
    #[schema(max_items = 10_000)]
    series: Vec<WindowAggregates>,
}

/// Cuts `window` into steps of the length `step` and aggregates each.
pub(super) async fn series(
    api: &Api,
    metric: &str,
    device: Option<&str>,
    window: Window,
    step: &str,
) -> Result<Series, Problem> {
    let step_micros = length_micros("step", step)?;
    let steps = steps(window, step, step_micros)?;
    let mut series: Vec<_> = steps.iter().map(|step| WindowAggregates::empty(metric, *step)).collect();
    let integer = |value| ScalarValue::Int64(Some(value));
    let mut params = vec![text(metric)];
    params.extend(bounds(window));
    params.extend([integer(window.start_micros), integer(step_micros)]);
    params.extend(device.map(text));
    let rows = ask(api, if device.is_some() { OF_DEVICE } else { OF_METRIC }, params).await?;
    for row in 0..rows.count() {
        let index = usize::try_from(rows.integer(0, row)?).unwrap_or(usize::MAX);
        // Every event lies in the window, so every row has its step.
        if let (Some(place), Some(step)) = (series.get_mut(index), steps.get(index)) {
            *place = WindowAggregates::of_row(metric, *step, &rows, row, 1)?;
        }
    }
    Ok(Series {
        metric_name: metric.to_owned(),
        time_window_start: window.start(),
        time_window_end: window.end(),
        step: step.to_owned(),
        series,
    })
}

/// The steps of a window, the last one cut at its end.
fn steps(window: Window, text: &str, step_micros: i64) -> Result<Vec<Window>, Problem> {
    let length = window.length_micros();
    if step_micros > length {
        return Err(Problem::parameter("step", text, "must not be longer than the window"));
    }
    let count = length / step_micros + i64::from(length % step_micros != 0);
    if count > STEPS_MAX {
        let rule = format!("cuts the window into {count} steps, the limit is {STEPS_MAX}");
        return Err(Problem::parameter("step", text, &rule));
    }
    let step = |index| {
        let start_micros = window.start_micros + index * step_micros;
        Window { start_micros, end_micros: (start_micros + step_micros).min(window.end_micros) }
    };
    Ok((0..count).map(step).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_cover_the_window_without_gaps_and_the_last_is_cut() {
        let window = |start_micros, end_micros| Window { start_micros, end_micros };
        assert_eq!(steps(window(5, 15), "", 5), Ok(vec![window(5, 10), window(10, 15)]));
        assert_eq!(steps(window(5, 16), "", 5), Ok(vec![window(5, 10), window(10, 15), window(15, 16)]));
        assert_eq!(steps(window(0, 10_000), "", 1).map(|steps| steps.len()), Ok(10_000));
        assert!(steps(window(0, 10_001), "", 1).is_err());
        assert!(steps(window(0, 5), "", 6).is_err());
    }
}
