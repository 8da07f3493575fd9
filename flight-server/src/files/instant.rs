//! Instants of files: RFC 3339 text, Unix seconds and Arrow ticks become µs UTC. A time that is missing or outside the table's
//! range is not judged here.

use arrow::{compute::kernels::cast_utils::string_to_datetime, datatypes::TimeUnit};
use chrono::Utc;
use hexflight_engine::{UNIX_SECONDS_MAX, not_seconds};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// No number has as many digits before the point that could be a time in any unit.
const DIGITS_MAX: i64 = 40;

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
        return of_decimal(whole, fraction, digits.len() < text.len());
    }
    string_to_datetime(&Utc, text).map(|instant| instant.timestamp_micros()).map_err(|_| TEXT_RULE)
}

/// Reads Unix seconds as JSON writes numbers: from the digits, because a float would not be exact for every µs.
pub(crate) fn of_json_number(number: &str) -> Result<i64, &'static str> {
    let magnitude = number.strip_prefix('-').unwrap_or(number);
    let is_negative = magnitude.len() < number.len();
    let (mantissa, exponent) = magnitude.split_once(['e', 'E']).unwrap_or((magnitude, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let first = digits.bytes().position(|digit| digit != b'0').unwrap_or(digits.len());
    if first == digits.len() {
        return Ok(0);
    }
    let beyond = if exponent.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
    let exponent = exponent.parse::<i64>().unwrap_or(beyond).clamp(i64::MIN / 2, i64::MAX / 2);
    // Digits before the point, of those from the first that counts.
    let point =
        i64::try_from(whole.len()).unwrap_or(DIGITS_MAX) - i64::try_from(first).unwrap_or(0) + exponent;
    let digits = digits.get(first..).unwrap_or_default();
    if point <= 0 {
        let zeros = usize::try_from(-point.max(-DIGITS_MAX)).unwrap_or(0);
        return of_decimal("0", &format!("{}{digits}", "0".repeat(zeros)), is_negative);
    }
    let point = usize::try_from(point.min(DIGITS_MAX)).unwrap_or(0);
    match digits.split_at_checked(point) {
        Some((whole, fraction)) => of_decimal(whole, fraction, is_negative),
        None => of_decimal(&format!("{digits}{}", "0".repeat(point - digits.len())), "", is_negative),
    }
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

/// What is finer than a microsecond is rounded down, as everywhere in ingest.
fn of_decimal(whole: &str, fraction: &str, is_negative: bool) -> Result<i64, &'static str> {
    let seconds = whole.parse::<i64>().unwrap_or(i64::MAX);
    let micros = fraction.bytes().chain(std::iter::repeat(b'0')).take(6);
    let micros = micros.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    let is_rounded = fraction.bytes().skip(6).any(|digit| digit != b'0');
    let instant = of_seconds(seconds)? + micros;
    Ok(if is_negative { -instant - i64::from(is_rounded) } else { instant })
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
        ] {
            assert!(of_text(number).unwrap_err().contains(unit), "{number}");
            assert!(of_json_number(number).unwrap_err().contains(unit), "{number}");
        }
        assert!(of_json_number("1.7487792e12").unwrap_err().contains("milliseconds"));
        assert!(of_json_number("1e400").unwrap_err().contains("nanoseconds"));
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
