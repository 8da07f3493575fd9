//! `WindowAggregates` holds count, sum, average, minimum and maximum of one window, as a row of an answer has them.

use serde::Serialize;
use utoipa::ToSchema;

use super::{answer::Rows, window::Window};
use crate::{http::instant::UnixSeconds, status::Problem};

/// The aggregates of one window; without events `sum` is 0 and `avg`, `min` and `max` are null.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowAggregates {
    #[schema(example = "temperature")]
    pub(super) metric_name: String,
    /// The first moment of the window.
    pub(super) time_window_start: UnixSeconds,
    /// The first moment after the window.
    pub(super) time_window_end: UnixSeconds,
    /// Events in the window.
    #[schema(minimum = 0)]
    pub(super) count: i64,
    pub(super) sum: f64,
    #[schema(required = true)]
    pub(super) avg: Option<f64>,
    #[schema(required = true)]
    pub(super) min: Option<f64>,
    #[schema(required = true)]
    pub(super) max: Option<f64>,
}

impl WindowAggregates {
    /// The aggregates of a window without events.
    pub(super) fn empty(metric: &str, window: Window) -> Self {
        Self {
            metric_name: metric.to_owned(),
            time_window_start: window.start(),
            time_window_end: window.end(),
            count: 0,
            sum: 0.0,
            avg: None,
            min: None,
            max: None,
        }
    }

    /// The aggregates in a row of an answer; the first of them is in column `first`.
    pub(super) fn of_row(
        metric: &str,
        window: Window,
        rows: &Rows,
        row: usize,
        first: usize,
    ) -> Result<Self, Problem> {
        Ok(Self {
            count: rows.integer(first, row)?,
            sum: rows.float(first + 1, row)?.unwrap_or(0.0),
            avg: rows.float(first + 2, row)?,
            min: rows.float(first + 3, row)?,
            max: rows.float(first + 4, row)?,
            ..Self::empty(metric, window)
        })
    }
}
