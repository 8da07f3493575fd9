//! `TimestampUnit`: the unit in which the timestamps of a result leave. Microseconds, as events have them, unless a client asks for
//! nanoseconds: Grafana's readers take every Arrow timestamp for one of nanoseconds. Flight and HTTP read the same name.

use serde::Serialize;
use utoipa::ToSchema;

/// Name of the header, of the option of a session, and of the member of an HTTP body.
pub(crate) const TIMESTAMP_UNIT: &str = "timestamp_unit";

/// A unit of timestamps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) enum TimestampUnit {
    /// As the statement computes them: microseconds, but for functions that say another unit.
    #[default]
    #[serde(rename = "us")]
    Micros,
    /// Every timestamp in nanoseconds.
    #[serde(rename = "ns")]
    Nanos,
}

impl TimestampUnit {
    /// What clients call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Micros => "us",
            Self::Nanos => "ns",
        }
    }

    /// The unit of that name.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        [Self::Micros, Self::Nanos].into_iter().find(|unit| unit.name() == name)
    }

    /// The unit that a header asks for; `None` without one.
    ///
    /// # Errors
    /// The header, its value and the rule.
    pub(crate) fn of_header(value: Option<&[u8]>) -> Result<Option<Self>, String> {
        let Some(value) = value else { return Ok(None) };
        let text = String::from_utf8_lossy(value);
        Self::of_name(text.trim()).map(Some).ok_or_else(|| {
            let shown: String = text.chars().take(100).collect();
            format!("header {TIMESTAMP_UNIT} = '{shown}': {RULE}")
        })
    }
}

/// Which units there are.
pub(crate) const RULE: &str = "must be us or ns";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_a_unit_or_is_refused() {
        assert_eq!(TimestampUnit::of_header(None), Ok(None));
        assert_eq!(TimestampUnit::of_header(Some(b"us")), Ok(Some(TimestampUnit::Micros)));
        assert_eq!(TimestampUnit::of_header(Some(b" ns ")), Ok(Some(TimestampUnit::Nanos)));
        for bad in [&b""[..], b"ms", b"NS", b"nanoseconds", b"\xff"] {
            let error = TimestampUnit::of_header(Some(bad)).unwrap_err();
            assert!(error.starts_with("header timestamp_unit = '") && error.ends_with(RULE), "{error}");
        }
    }
}
