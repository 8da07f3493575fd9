//! Moments as texts tell them, exact to the nanosecond. Arrow's own cast to microseconds drops what is finer, so that
//! `timestamp >= '…40.0000005Z'` would find the event at `…40`; here the unit follows the digits.

use arrow::{array::timezone::Tz, compute::kernels::cast_utils::string_to_datetime, datatypes::TimeUnit};

use crate::functions::whole_moment;

const NANOS_PER_SECOND: i128 = 1_000_000_000;

const NANOS_PER_DAY: i128 = 86_400 * NANOS_PER_SECOND;

/// Reads a date, or a date and a time of hours, minutes, seconds or fractions of them, with or without a zone; without one it is told in
/// `zone`, without that in UTC. What stands for a moment as a literal does so here. **Units**: ns since 1970, UTC.
///
/// # Errors
/// The rule that the text breaks, to be read after the text.
pub fn nanos_of_text(text: &str, zone: Option<&str>) -> Result<i128, String> {
    let whole = whole_moment(text);
    if digits_below_a_nanosecond(&whole) {
        return Err("is told finer than a nanosecond, which no timestamp is".to_owned());
    }
    let zone: Tz = zone.unwrap_or("UTC").parse().map_err(|_| RULE.to_owned())?;
    let moment = string_to_datetime(&zone, whole.trim()).map_err(|_| RULE.to_owned())?;
    Ok(i128::from(moment.timestamp()) * NANOS_PER_SECOND + i128::from(moment.timestamp_subsec_nanos()))
}

/// Whether a text tells more than a day: a cast to a date would cut it.
#[must_use]
pub fn has_time_of_day(text: &str) -> bool {
    nanos_of_text(text, None).is_ok_and(|nanos| nanos % NANOS_PER_DAY != 0)
}

const RULE: &str = "is no date and time, such as 2025-12-01, 2025-12-01 18:00 or 2025-12-01T18:00:00.25Z";

/// Moments in the unit `wanted`, or in the coarsest finer one that has room for all of them. **Units**: ns, of `nanos`.
///
/// # Errors
/// There is no such unit: one of them has digits below a microsecond in a year that nanoseconds do not reach.
pub fn in_unit(nanos: &[Option<i128>], wanted: TimeUnit) -> Result<(TimeUnit, Vec<Option<i64>>), String> {
    let units = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond];
    for unit in units.into_iter().filter(|unit| *unit >= wanted) {
        let per_tick = NANOS_PER_SECOND / per_second(unit);
        let ticks = |nanos: i128| {
            if nanos % per_tick == 0 { i64::try_from(nanos / per_tick).ok() } else { None }
        };
        let all: Option<Vec<_>> =
            nanos.iter().map(|nanos| nanos.map_or(Some(None), |nanos| ticks(nanos).map(Some))).collect();
        if let Some(all) = all {
            return Ok((unit, all));
        }
    }
    Err("is told in nanoseconds, which end with the year 2262; leave out what is below a microsecond"
        .to_owned())
}

fn per_second(unit: TimeUnit) -> i128 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => NANOS_PER_SECOND,
    }
}

/// Arrow's parser drops digits after the ninth.
fn digits_below_a_nanosecond(text: &str) -> bool {
    let Some((_, fraction)) = text.split_once('.') else { return false };
    fraction.bytes().take_while(u8::is_ascii_digit).skip(9).any(|digit| digit != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i128 = 1_764_547_200_000_000_000;

    #[test]
    fn texts_are_read_as_people_write_them() {
        let hour = 3_600 * NANOS_PER_SECOND;
        let table = [
            ("2025-12-01", DAY),
            (" 2025-12-01 ", DAY),
            ("2025-12-01T00:00:00Z", DAY),
            ("2025-12-01 18", DAY + 18 * hour),
            ("2025-12-01 18:00", DAY + 18 * hour),
            ("2025-12-01T18:00Z", DAY + 18 * hour),
            ("2025-12-01 18:00 +02:00", DAY + 16 * hour),
            ("2025-12-01 18:00:30", DAY + 18 * hour + 30 * NANOS_PER_SECOND),
            ("2025-12-01T00:00:00.0000005Z", DAY + 500),
            ("2025-12-01T00:00:00.123456789000", DAY + 123_456_789),
            ("2025-12-01 00:00:00 Europe/Berlin", DAY - hour),
            ("9999-12-31", 253_402_214_400 * NANOS_PER_SECOND),
            ("infinity", 253_402_214_400 * NANOS_PER_SECOND),
            ("epoch", 0),
        ];
        for (text, expected) in table {
            assert_eq!(nanos_of_text(text, None), Ok(expected), "{text}");
        }
        assert_eq!(nanos_of_text("2025-12-01", Some("Asia/Kolkata")), Ok(DAY - 11 * hour / 2));
        assert!(has_time_of_day("2025-12-01T00:00:00.5Z") && !has_time_of_day("2025-12-01T00:00:00Z"));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for bad in
            ["", "yesterday", "2025-13-01", "2025-12-01 25:00", "2025-12-01 18:0", "18:00", "1764547200"]
        {
            assert_eq!(nanos_of_text(bad, None), Err(RULE.to_owned()), "{bad}");
        }
        assert!(nanos_of_text("2025-12-01T00:00:00.1234567891Z", None).unwrap_err().contains("finer"));
    }

    #[test]
    fn the_unit_follows_the_digits() {
        let micros = |nanos: &[Option<i128>]| in_unit(nanos, TimeUnit::Microsecond);
        assert_eq!(micros(&[Some(1_000), None]), Ok((TimeUnit::Microsecond, vec![Some(1), None])));
        assert_eq!(micros(&[Some(1_000), Some(1)]), Ok((TimeUnit::Nanosecond, vec![Some(1_000), Some(1)])));
        let millis = in_unit(&[Some(1_000)], TimeUnit::Millisecond);
        assert_eq!(millis, Ok((TimeUnit::Microsecond, vec![Some(1)])));
        let late = 253_402_214_400 * NANOS_PER_SECOND;
        assert_eq!(micros(&[Some(late)]), Ok((TimeUnit::Microsecond, vec![Some(253_402_214_400_000_000)])));
        assert!(micros(&[Some(late + 1)]).unwrap_err().contains("2262"));
    }
}
