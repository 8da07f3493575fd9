//! Instants of files: RFC 3339 text, Unix seconds and Arrow ticks become µs UTC. A time that is missing or outside the table's
//! range is not judged here.

use arrow::{compute::kernels::cast_utils::string_to_datetime, datatypes::TimeUnit};
use chrono::Utc;

/// Unix seconds above this, the year 5138, are refused as milliseconds, as ingest does.
const UNIX_SECONDS_MAX: i64 = 100_000_000_000;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Text that is no time.
pub(crate) const TEXT_RULE: &str = "is neither RFC 3339 (2025-06-01T12:00:00Z) nor Unix seconds";
/// Seconds that are not.
pub(crate) const SECONDS_RULE: &str = "looks like milliseconds; give Unix seconds or RFC 3339";
/// Ticks that µs cannot count.
pub(crate) const RANGE_RULE: &str = "is outside the calendar";

/// Reads RFC 3339, also with a space for the `T` and, as UTC, without an offset; or Unix seconds, also with decimals.
pub(crate) fn of_text(text: &str) -> Result<i64, &'static str> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return of_decimal(digits, digits.len() < text.len());
    }
    string_to_datetime(&Utc, text).map(|instant| instant.timestamp_micros()).map_err(|_| TEXT_RULE)
}

/// Reads Unix seconds.
pub(crate) fn of_seconds(seconds: i64) -> Result<i64, &'static str> {
    if seconds > UNIX_SECONDS_MAX {
        return Err(SECONDS_RULE);
    }
    seconds.checked_mul(MICROS_PER_SECOND).ok_or(RANGE_RULE)
}

/// Reads Unix seconds with decimals.
#[expect(
    clippy::cast_possible_truncation,
    reason = "bounded by UNIX_SECONDS_MAX; the rest saturates and is refused later"
)]
pub(crate) fn of_real_seconds(seconds: f64) -> Result<i64, &'static str> {
    if seconds > UNIX_SECONDS_MAX as f64 {
        return Err(SECONDS_RULE);
    }
    if seconds.is_finite() { Ok((seconds * MICROS_PER_SECOND as f64).round() as i64) } else { Err(TEXT_RULE) }
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

/// Digits with at most one point; a float would not be exact for every µs.
fn of_decimal(digits: &str, negative: bool) -> Result<i64, &'static str> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || fraction.contains('.') {
        return Err(TEXT_RULE);
    }
    let seconds = whole.parse::<i64>().map_err(|_| SECONDS_RULE)?;
    let micros = fraction.bytes().chain(std::iter::repeat(b'0')).take(6);
    let micros = micros.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    let instant = of_seconds(seconds)? + micros;
    Ok(if negative { -instant } else { instant })
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
        assert_eq!(of_text("1748779200000"), Err(SECONDS_RULE));
        assert_eq!(of_text("99999999999999999999"), Err(SECONDS_RULE));
    }

    #[test]
    fn ticks_that_do_not_fit_are_refused() {
        assert_eq!(of_ticks(-1, TimeUnit::Nanosecond), Ok(-1));
        assert_eq!(of_ticks(i64::MAX, TimeUnit::Second), Err(RANGE_RULE));
        assert_eq!(of_real_seconds(1_748_779_200.123_456), Ok(1_748_779_200_123_456));
        assert_eq!(of_real_seconds(f64::NAN), Err(TEXT_RULE));
    }
}
