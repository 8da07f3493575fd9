//! Timestamps of JSON events: Unix seconds as a number, or RFC 3339 text. What is finer than a microsecond
//! is rounded down, as everywhere in ingest.

use chrono::{DateTime, NaiveDateTime};
use hexflight_engine::{UNIX_SECONDS_MAX, not_seconds};

use crate::unix_micros;

/// Reads Unix seconds. **Units**: µs. The error is a rule that the number breaks.
pub(super) fn of_number(number: &str) -> Result<i64, String> {
    let magnitude = number.strip_prefix('-').unwrap_or(number);
    let (micros, lost) = unix_micros::of_seconds(magnitude);
    if magnitude.len() < number.len() {
        return Ok(micros.saturating_neg().saturating_sub(i64::from(lost)));
    }
    let limit = UNIX_SECONDS_MAX * 1_000_000;
    if micros > limit || micros == limit && lost {
        let looks = not_seconds(number.parse().unwrap_or(f64::INFINITY));
        return Err(format!("{looks}; send Unix seconds or RFC 3339 text"));
    }
    Ok(micros)
}

/// Reads RFC 3339 text. **Units**: µs. The error is a rule that the text breaks.
pub(super) fn of_text(text: &str) -> Result<i64, &'static str> {
    DateTime::parse_from_rfc3339(text).map(|instant| instant.timestamp_micros()).map_err(|_| {
        let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
            .iter()
            .any(|format| NaiveDateTime::parse_from_str(text, format).is_ok());
        if local {
            "has no zone; end it with Z or an offset like +02:00"
        } else if text.parse::<f64>().is_ok() {
            "is text; send Unix seconds as a number, without quotes"
        } else {
            "is not an RFC 3339 time like 2026-01-31T12:00:00Z"
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_to_the_microsecond() {
        for (number, micros) in [
            ("0", 0),
            ("1748779200", 1_748_779_200_000_000),
            ("1748779200.000001", 1_748_779_200_000_001),
            ("1748779200.123456", 1_748_779_200_123_456),
            ("1748779200.1234569999", 1_748_779_200_123_456),
            ("1748779200.5", 1_748_779_200_500_000),
            ("1.7487792001234565e9", 1_748_779_200_123_456),
            ("1.7E+9", 1_700_000_000_000_000),
            ("17487792001e-1", 1_748_779_200_100_000),
            ("99999999999.999999", 99_999_999_999_999_999),
            ("100000000000", 100_000_000_000_000_000),
            ("0e99999999999999999999", 0),
            ("1e-99999999999999999999", 0),
            ("-0", 0),
            ("-1.5", -1_500_000),
            ("-0.0000001", -1),
        ] {
            assert_eq!(of_number(number), Ok(micros), "{number}");
        }
    }

    #[test]
    fn other_units_are_not_taken_for_seconds() {
        for (number, looks) in [
            ("1748779200000", "milliseconds"),
            ("100000000000.0000001", "milliseconds"),
            ("1e12", "milliseconds"),
            ("1748779200000000", "microseconds"),
            ("1.7487792e15", "microseconds"),
            ("1748779200000000000", "nanoseconds"),
            ("1e400", "after the year 5138"),
            ("1e99999999999999999999", "after the year 5138"),
        ] {
            assert!(of_number(number).unwrap_err().contains(looks), "{number}");
        }
    }

    #[test]
    fn text_needs_a_zone() {
        for (text, micros) in [
            ("2025-06-01T12:00:00Z", 1_748_779_200_000_000),
            ("2025-06-01T14:00:00.123456789+02:00", 1_748_779_200_123_456),
            ("2025-06-01t12:00:00z", 1_748_779_200_000_000),
            ("1969-12-31T23:59:59.9999999Z", -1),
        ] {
            assert_eq!(of_text(text), Ok(micros), "{text}");
        }
        for (text, rule) in [
            ("2025-06-01T12:00:00", "no zone"),
            ("2025-06-01 12:00:00.5", "no zone"),
            ("1748779200", "without quotes"),
            ("yesterday", "RFC 3339"),
            ("2025-13-01T12:00:00Z", "RFC 3339"),
            ("", "RFC 3339"),
        ] {
            assert!(of_text(text).unwrap_err().contains(rule), "{text}");
        }
    }
}
