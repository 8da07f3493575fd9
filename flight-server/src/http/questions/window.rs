//! The window of a question: `[start, end)`, from any two of `start`, `end` and `window`, or from `window` alone.

use std::{borrow::Cow, time::Duration};

use serde::Deserialize;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, schema::Type};

use super::query_string::missing;
use crate::{
    config::units::parse_duration,
    http::instant::{InstantText, UnixSeconds, parse_micros},
    status::Problem,
};

/// Longest window, above which a length is a mistake: the range of time that can be asked for. **Units**: µs.
const WINDOW_MICROS_MAX: i64 = 100_000_000_000 * 1_000_000;

/// The parameters that say when.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WindowQuery {
    /// First moment of the window: Unix seconds or RFC 3339. The window holds events with start ≤ timestamp < end.
    #[param(value_type = Option<InstantText>, inline, example = 1_764_547_200)]
    start: Option<String>,
    /// First moment after the window: Unix seconds or RFC 3339.
    #[param(value_type = Option<InstantText>, inline, example = 1_764_550_800)]
    end: Option<String>,
    /// Length of the window: a number with ms, s, m, h or d. Alone, the window ends now; with `start` or `end`, it says the other.
    #[param(value_type = Option<LengthText>, inline, example = "60s")]
    window: Option<String>,
}

/// A window of time, not empty. **Units**: µs since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// First moment that belongs to it.
    pub(super) start_micros: i64,
    /// First moment that no longer does.
    pub(super) end_micros: i64,
}

impl Window {
    /// Resolves what was asked for at the time `now_micros`.
    pub(super) fn resolve(query: &WindowQuery, now_micros: i64) -> Result<Self, Problem> {
        let start_micros = query.start.as_deref().map(|text| instant("start", text)).transpose()?;
        let end_micros = query.end.as_deref().map(|text| instant("end", text)).transpose()?;
        let length = query.window.as_deref().map(|text| length_micros("window", text)).transpose()?;
        let (start_micros, end_micros) = match (start_micros, end_micros, length) {
            (Some(start), Some(end), None) => (start, end),
            (Some(start), None, Some(length)) => (start, start + length),
            (None, Some(end), Some(length)) => (end - length, end),
            (None, None, Some(length)) => (now_micros - length, now_micros),
            (Some(_), Some(_), Some(_)) => {
                let text = query.window.as_deref().unwrap_or_default();
                return Err(Problem::parameter(
                    "window",
                    text,
                    "start and end say it already; give two of the three",
                ));
            }
            (Some(_), None, None) => return Err(missing("end", "give start and end, or window=60s")),
            (None, _, None) => return Err(missing("start", "give start and end, or window=60s")),
        };
        if start_micros >= end_micros {
            let text = query.start.as_deref().unwrap_or_default();
            let rule = format!("must be before end = '{}'", query.end.as_deref().unwrap_or_default());
            return Err(Problem::parameter("start", text, &rule));
        }
        Ok(Self { start_micros, end_micros })
    }

    /// **Units**: µs.
    pub(super) fn length_micros(self) -> i64 {
        self.end_micros - self.start_micros
    }

    pub(super) fn start(self) -> UnixSeconds {
        UnixSeconds { micros: self.start_micros }
    }

    pub(super) fn end(self) -> UnixSeconds {
        UnixSeconds { micros: self.end_micros }
    }
}

fn instant(name: &str, text: &str) -> Result<i64, Problem> {
    parse_micros(text).map_err(|rule| Problem::parameter(name, text, &rule))
}

/// Reads a length such as `60s`. **Units**: µs.
pub(super) fn length_micros(name: &str, text: &str) -> Result<i64, Problem> {
    let refused = |rule: &str| Problem::parameter(name, text, rule);
    let tidy = text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
        && text.split_once('.').is_none_or(|(_, rest)| rest.starts_with(|next: char| next.is_ascii_digit()));
    let length = parse_duration(if tidy { text } else { "" }).map_err(|rule| {
        let bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && text != "0";
        let problem = refused(&rule);
        if bare { problem.with_hint(format!("did you mean `{text}s`?")) } else { problem }
    })?;
    micros(length)
        .filter(|length| *length <= WINDOW_MICROS_MAX)
        .ok_or_else(|| refused("must be at most 100000000000 seconds"))
}

/// How a length is documented: what [`length_micros`] takes, but for zero.
pub(super) struct LengthText;

impl utoipa::PartialSchema for LengthText {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(r"^[0-9]+(\.[0-9]{1,6})?(ms|s|m|min|h|d)$"))
            .examples(["60s", "500ms", "5m", "1h", "7d"])
            .into()
    }
}

impl utoipa::ToSchema for LengthText {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Length")
    }
}

fn micros(length: Duration) -> Option<i64> {
    i64::try_from(length.as_micros()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_764_547_200_000_000;

    #[test]
    fn two_of_three_or_the_length_alone_make_a_window() {
        let minute = Window { start_micros: NOW - 60_000_000, end_micros: NOW };
        assert_eq!(resolve(None, None, Some("60s")), Ok(minute));
        assert_eq!(resolve(Some("1764547140"), Some("2025-12-01T00:00:00Z"), None), Ok(minute));
        assert_eq!(resolve(Some("1764547140"), None, Some("1m")), Ok(minute));
        assert_eq!(resolve(None, Some("1764547200.0"), Some("60000ms")), Ok(minute));
    }

    #[test]
    fn a_window_that_is_not_one_is_refused() {
        let code = |start, end, window| resolve(start, end, window).unwrap_err().code();
        assert_eq!(code(None, None, None), "missing_parameter");
        assert_eq!(code(Some("1"), None, None), "missing_parameter");
        assert_eq!(code(None, Some("1"), None), "missing_parameter");
        assert_eq!(code(Some("1"), Some("2"), Some("1s")), "invalid_parameter");
        assert_eq!(code(Some("2"), Some("2"), None), "invalid_parameter");
        for window in ["0", "0s", "60", "-1s", "NaN", "1 fortnight", "9999999999999d", ""] {
            assert_eq!(code(None, None, Some(window)), "invalid_parameter", "{window}");
        }
    }

    fn resolve(start: Option<&str>, end: Option<&str>, window: Option<&str>) -> Result<Window, Problem> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Window::resolve(&WindowQuery { start: owned(start), end: owned(end), window: owned(window) }, NOW)
    }
}
