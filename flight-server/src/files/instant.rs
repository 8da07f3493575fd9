//! Instants of files: RFC 3339 text, Unix seconds and Arrow ticks become µs UTC. A time that is missing or outside the table's
//! range is not judged here.

use arrow::{compute::kernels::cast_utils::string_to_datetime, datatypes::TimeUnit};
use chrono::Utc;
use hexflight_engine::{UNIX_SECONDS_MAX, not_seconds};

use crate::unix_micros;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Text that is no time.
pub(crate) const TEXT_RULE: &str = "is neither RFC 3339 (2025-06-01T12:00:00Z) nor Unix seconds";
/// Ticks that µs cannot count.
pub(crate) const RANGE_RULE: &str = "is outside the calendar";

/// Reads RFC 3339, also with a space for the `T` and, as UTC, without an offset; or Unix seconds, also with decimals.
pub(crate) fn of_text(text: &str) -> Result<i64, &'static str> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() || fraction.contains('.') {
            return Err(TEXT_RULE);
        }
        return of_json_number(text);
    }
    string_to_datetime(&Utc, text).map(|instant| instant.timestamp_micros()).map_err(|_| TEXT_RULE)
}

/// Reads Unix seconds as JSON writes numbers. What is finer than a microsecond is rounded down, as everywhere in ingest.
pub(crate) fn of_json_number(number: &str) -> Result<i64, &'static str> {
    let magnitude = number.strip_prefix('-').unwrap_or(number);
    let (micros, lost) = unix_micros::of_seconds(magnitude);
    if micros / MICROS_PER_SECOND > UNIX_SECONDS_MAX {
        // What no unit takes is nearest to nanoseconds.
        let seconds = magnitude.parse().unwrap_or(f64::INFINITY);
        return Err(not_seconds(seconds.min(i64::MAX as f64)));
    }
    let is_negative = magnitude.len() < number.len();
    Ok(if is_negative { -micros - i64::from(lost) } else { micros })
}

/// Reads Unix seconds.
pub(crate) fn of_seconds(seconds: i64) -> Result<i64, &'static str> {
    if seconds > UNIX_SECONDS_MAX {
        return Err(not_seconds(seconds as f64));
    }
    seconds.checked_mul(MICROS_PER_SECOND).ok_or(RANGE_RULE)
}

/// Reads the number of an Arrow timestamp; nanoseconds are rounded down.
pub(crate) fn of_ticks(ticks: i64, unit: TimeUnit) -> Result<i64, &'static str> {
    let micros = match unit {
        TimeUnit::Second => ticks.checked_mul(MICROS_PER_SECOND),
        TimeUnit::Millisecond => ticks.checked_mul(1_000),
        TimeUnit::Microsecond => Some(ticks),
        TimeUnit::Nanosecond => Some(ticks.div_euclid(1_000)),
    };
    micros.ok_or(RANGE_RULE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_texts_name_the_same_instant() {
        for text in [
            "2025-06-01T12:00:00Z",
            "2025-06-01T14:00:00+02:00",
            "2025-06-01 12:00:00+00",
            "2025-06-01 12:00:00",
            "2025-06-01T12:00:00.000000",
            "1748779200",
            " 1748779200.0 ",
        ] {
            assert_eq!(of_text(text), Ok(1_748_779_200_000_000), "{text}");
        }
        assert_eq!(of_text("1748779200.1234567"), Ok(1_748_779_200_123_456));
        assert_eq!(of_text("2025-06-01T12:00:00.123456789Z"), Ok(1_748_779_200_123_456));
        assert_eq!(of_text("-1.5"), Ok(-1_500_000));
    }

    #[test]
    fn other_texts_state_the_rule() {
        for text in
            ["", "yesterday", "12:00", "2025-13-01T00:00:00Z", "1.2.3", ".5", "1e9", "2025-06-01T25:00:00Z"]
        {
            assert_eq!(of_text(text), Err(TEXT_RULE), "{text}");
        }
    }

    #[test]
    fn smaller_units_are_named() {
        for (number, unit) in [
            ("1748779200000", "milliseconds"),
            ("1748779200000000", "microseconds"),
            ("1748779200000000000", "nanoseconds"),
            ("99999999999999999999", "nanoseconds"),
            ("-1748779200000", "milliseconds"),
        ] {
            assert!(of_text(number).unwrap_err().contains(unit), "{number}");
            assert!(of_json_number(number).unwrap_err().contains(unit), "{number}");
        }
        assert!(of_json_number("1.7487792e12").unwrap_err().contains("milliseconds"));
        assert!(of_json_number("1e400").unwrap_err().contains("nanoseconds"));
        assert!(of_json_number("-1e400").unwrap_err().contains("nanoseconds"));
    }

    #[test]
    fn json_numbers_are_exact_to_the_microsecond() {
        for (number, micros) in [
            ("0", 0),
            ("0.0", 0),
            ("-0", 0),
            ("1748779200", 1_748_779_200_000_000),
            ("1748779200.1234569999", 1_748_779_200_123_456),
            ("1.7487792001234565e9", 1_748_779_200_123_456),
            ("1.7E+9", 1_700_000_000_000_000),
            ("17487792001e-1", 1_748_779_200_100_000),
            ("0.0017e12", 1_700_000_000_000_000),
            ("0.5", 500_000),
            ("5e-7", 0),
            ("0e99999999999999999999", 0),
            ("1e-99999999999999999999", 0),
            ("-1.5", -1_500_000),
            ("-0.0000001", -1),
        ] {
            assert_eq!(of_json_number(number), Ok(micros), "{number}");
        }
    }

    #[test]
    fn ticks_that_do_not_fit_are_refused() {
        assert_eq!(of_ticks(-1, TimeUnit::Nanosecond), Ok(-1));
        assert_eq!(of_ticks(i64::MAX, TimeUnit::Second), Err(RANGE_RULE));
    }
}
