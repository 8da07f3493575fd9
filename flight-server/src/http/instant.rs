//! Points in time as clients write them: Unix seconds or RFC 3339 in, Unix seconds out. Exact: digits are counted as integers, never
//! through a float.

use std::{borrow::Cow, ops::RangeInclusive};

use chrono::DateTime;
use hexflight_engine::{UNIX_SECONDS_MAX, not_seconds};
use hexflight_planner::Decimal;
use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, OneOfBuilder, RefOr, Schema, SchemaFormat, schema::Type},
};

use crate::unix_micros;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// The last day that SQL writes, 9999-12-31, which many senders give for "without end". As milliseconds it would be 86 seconds of 1978.
const LAST_DAY: RangeInclusive<i64> = 253_402_214_400..=253_402_300_799;

const RULE: &str =
    "must be Unix seconds such as 1764547200 or 1764547200.25, or RFC 3339 such as 2025-12-01T00:00:00Z";

/// Reads a border of a window. **Units**: µs since 1970, UTC. Digits below are rounded up: no event lies between two microseconds,
/// so that `[start, end)` holds exactly what it says.
///
/// # Errors
/// The rule that is broken.
pub(super) fn parse_micros(text: &str) -> Result<i64, String> {
    if text.starts_with(|first: char| first.is_ascii_digit() || first == '-')
        && text.bytes().skip(1).all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return parse_seconds(text);
    }
    let instant = DateTime::parse_from_rfc3339(text).map_err(|_| {
        if text.contains(' ') && text.contains('T') {
            format!("{RULE}; in a URL the + of a zone is written %2B")
        } else {
            RULE.to_owned()
        }
    })?;
    let is_between = instant.timestamp_subsec_nanos() % 1_000 > 0;
    Ok(instant.timestamp_micros() + i64::from(is_between))
}

/// Reads Unix seconds with any fraction and exponent. **Units**: ns.
///
/// # Errors
/// The rule that is broken.
pub(super) fn nanos_of_seconds(text: &str) -> Result<i128, String> {
    let nanos = Decimal::of_text(text).ok_or_else(|| RULE.to_owned())?.scaled(9);
    let seconds = text.parse::<f64>().unwrap_or(f64::INFINITY);
    let limit = i128::from(UNIX_SECONDS_MAX) * 1_000_000_000;
    match nanos {
        Some(nanos) if nanos.abs() <= limit || is_in_last_day(nanos / 1_000_000_000) => Ok(nanos),
        None if seconds.abs() < 1e11 => {
            Err("is told finer than a nanosecond, which no timestamp is".to_owned())
        }
        _ => Err(too_large(seconds)),
    }
}

fn is_in_last_day(seconds: i128) -> bool {
    i64::try_from(seconds).is_ok_and(|seconds| LAST_DAY.contains(&seconds))
}

fn too_large(seconds: f64) -> String {
    format!("{}; give Unix seconds, at most {UNIX_SECONDS_MAX}", not_seconds(seconds.abs()))
}

fn parse_seconds(text: &str) -> Result<i64, String> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return Err(RULE.to_owned());
    }
    let (micros, is_between) = unix_micros::of_seconds(digits);
    let limit = UNIX_SECONDS_MAX * MICROS_PER_SECOND;
    let is_last = !negative && LAST_DAY.contains(&(micros / MICROS_PER_SECOND));
    if !is_last && (micros > limit || (micros == limit && is_between)) {
        return Err(too_large(digits.parse().unwrap_or(f64::INFINITY)));
    }
    Ok(if negative { -micros } else { micros + i64::from(is_between) })
}

/// How a point in time of a question is documented: what [`parse_micros`] takes.
pub(super) struct InstantText;

impl PartialSchema for InstantText {
    fn schema() -> RefOr<Schema> {
        let seconds = ObjectBuilder::new()
            .schema_type(Type::Number)
            .description(Some("Unix seconds, exact to the microsecond, written without an exponent"))
            .minimum(Some(-UNIX_SECONDS_MAX))
            .maximum(Some(UNIX_SECONDS_MAX))
            .examples([1_764_547_200]);
        let last_day = ObjectBuilder::new()
            .schema_type(Type::Number)
            .description(Some("Unix seconds of 9999-12-31, for a window without end"))
            .minimum(Some(*LAST_DAY.start()))
            .maximum(Some(*LAST_DAY.end()))
            .examples([*LAST_DAY.end()]);
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339; the + of a zone is written %2B"))
            .examples(["2025-12-01T00:00:00Z"]);
        OneOfBuilder::new().item(seconds).item(last_day).item(text).into()
    }
}

impl ToSchema for InstantText {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Instant")
    }
}

/// A point in time of an answer: a JSON number of Unix seconds, an integer when it is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UnixSeconds {
    /// **Units**: µs since 1970, UTC.
    pub(super) micros: i64,
}

impl Serialize for UnixSeconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (seconds, micros) =
            (self.micros.div_euclid(MICROS_PER_SECOND), self.micros.rem_euclid(MICROS_PER_SECOND));
        if micros == 0 {
            return serializer.serialize_i64(seconds);
        }
        // The float nearest to the decimal number: printed again, it has the same six digits until the year 2242.
        let (sign, magnitude) = if self.micros < 0 { ("-", -self.micros) } else { ("", self.micros) };
        let (seconds, micros) = (magnitude / MICROS_PER_SECOND, magnitude % MICROS_PER_SECOND);
        let number: f64 =
            format!("{sign}{seconds}.{micros:06}").parse().map_err(serde::ser::Error::custom)?;
        serializer.serialize_f64(number)
    }
}

impl PartialSchema for UnixSeconds {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .description(Some("Unix seconds, exact to the microsecond; an integer when whole"))
            .examples([serde_json::json!(1_764_547_200)])
            .into()
    }
}

impl ToSchema for UnixSeconds {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("UnixSeconds")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact_to_the_microsecond() {
        assert_eq!(parse_micros("1764547200"), Ok(1_764_547_200_000_000));
        assert_eq!(parse_micros("1764547200.000001"), Ok(1_764_547_200_000_001));
        assert_eq!(parse_micros("1764547200.1"), Ok(1_764_547_200_100_000));
        assert_eq!(parse_micros("1764547200.1234561"), Ok(1_764_547_200_123_457));
        assert_eq!(parse_micros("1764547200.1234560"), Ok(1_764_547_200_123_456));
        assert_eq!(parse_micros("-0.1234567"), Ok(-123_456));
        assert_eq!(parse_micros("2025-12-01T00:00:00.0000001Z"), Ok(1_764_547_200_000_001));
        assert_eq!(parse_micros("99999999999.999999"), Ok(99_999_999_999_999_999));
        assert_eq!(parse_micros("-0.5"), Ok(-500_000));
    }

    #[test]
    fn the_last_day_is_taken_for_without_end() {
        for (text, seconds) in [("253402300799", 253_402_300_799), ("253402214400", 253_402_214_400)] {
            assert_eq!(parse_micros(text), Ok(seconds * MICROS_PER_SECOND));
            assert_eq!(nanos_of_seconds(text), Ok(i128::from(seconds) * 1_000_000_000));
        }
        assert_eq!(parse_micros("253402300799.999999"), Ok(253_402_300_799_999_999));
        assert_eq!(parse_micros("9999-12-31T23:59:59Z"), parse_micros("253402300799"));
        for other in ["253402214399", "253402300800", "-253402300799"] {
            assert!(parse_micros(other).unwrap_err().contains("looks like milliseconds"), "{other}");
            assert!(nanos_of_seconds(other).unwrap_err().contains("looks like milliseconds"), "{other}");
        }
    }

    #[test]
    fn rfc_3339_takes_any_zone() {
        assert_eq!(parse_micros("2025-12-01T00:00:00Z"), Ok(1_764_547_200_000_000));
        assert_eq!(parse_micros("2025-12-01T02:00:00.000001+02:00"), Ok(1_764_547_200_000_001));
    }

    #[test]
    fn what_is_no_time_is_refused_with_the_rule() {
        for bad in ["", "now", "NaN", "inf", "1e9", "+1", "1.", ".5", "1_000", " 1", "2025-12-01", "-", "--1"]
        {
            assert_eq!(parse_micros(bad), Err(RULE.to_owned()), "{bad}");
        }
        for (number, looks) in [
            ("1764547200000", "looks like milliseconds"),
            ("100000000000.1", "looks like milliseconds"),
            ("100000000000.0000001", "looks like milliseconds"),
            ("1764547200000000", "looks like microseconds"),
            ("1764547200000000000", "looks like nanoseconds"),
            ("99999999999999999999999", "is after the year 5138"),
        ] {
            assert!(parse_micros(number).unwrap_err().starts_with(looks), "{number}");
            assert!(nanos_of_seconds(number).unwrap_err().starts_with(looks), "{number}");
        }
        assert!(parse_micros("2025-12-01T00:00:00 02:00").unwrap_err().contains("%2B"));
    }

    #[test]
    fn whole_seconds_are_written_as_integers_and_fractions_with_their_digits() {
        let written = |micros| serde_json::to_string(&UnixSeconds { micros }).unwrap();
        assert_eq!(written(1_764_547_200_000_000), "1764547200");
        assert_eq!(written(1_764_547_200_123_457), "1764547200.123457");
        assert_eq!(written(-500_000), "-0.5");
        assert_eq!(written(0), "0");
    }
}
