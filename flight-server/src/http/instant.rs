//! Points in time as clients write them: Unix seconds or RFC 3339 in, Unix seconds out. Exact to the microsecond: digits are
//! counted as integers, never through a float.

use std::borrow::Cow;

use chrono::DateTime;
use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, OneOfBuilder, RefOr, Schema, SchemaFormat, schema::Type},
};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Seconds beyond this, the year 5138, are refused as milliseconds; the same bound as for events.
const UNIX_SECONDS_MAX: i64 = 100_000_000_000;

const RULE: &str =
    "must be Unix seconds such as 1764547200 or 1764547200.25, or RFC 3339 such as 2025-12-01T00:00:00Z";

/// Reads a point in time. **Units**: µs since 1970, UTC; digits below are cut, as they are of events.
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
    Ok(instant.timestamp_micros())
}

fn parse_seconds(text: &str) -> Result<i64, String> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return Err(RULE.to_owned());
    }
    let too_large = || format!("looks like milliseconds; give Unix seconds, at most {UNIX_SECONDS_MAX}");
    let whole: i64 = whole.parse().map_err(|_| too_large())?;
    let micros: i64 = format!("{fraction:0<6}").get(..6).and_then(|six| six.parse().ok()).ok_or(RULE)?;
    if whole > UNIX_SECONDS_MAX || (whole == UNIX_SECONDS_MAX && micros > 0) {
        return Err(too_large());
    }
    let micros = whole * MICROS_PER_SECOND + micros;
    Ok(if negative { -micros } else { micros })
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
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339; the + of a zone is written %2B"))
            .examples(["2025-12-01T00:00:00Z"]);
        OneOfBuilder::new().item(seconds).item(text).into()
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
        assert_eq!(parse_micros("1764547200.1234569"), Ok(1_764_547_200_123_456));
        assert_eq!(parse_micros("99999999999.999999"), Ok(99_999_999_999_999_999));
        assert_eq!(parse_micros("-0.5"), Ok(-500_000));
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
        for milliseconds in ["1764547200000", "100000000000.1", "99999999999999999999999"] {
            assert!(parse_micros(milliseconds).unwrap_err().starts_with("looks like milliseconds"));
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
