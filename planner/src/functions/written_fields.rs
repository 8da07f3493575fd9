//! Fields of PostgreSQL's patterns that `strftime` does not have, computed from what it writes: `WW` from the day of the year, `MONTH` from
//! the name of the month. They can be written, not read.

use chrono::{Datelike, NaiveDate};

/// What a field is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// What `strftime` writes for this format.
    Format(&'static str),
    /// How far the zone is from UTC, `+05:30`; `+00:00` for a moment without a zone.
    Offset,
    /// The name of the zone; empty for a moment without one.
    Zone,
}

/// A field, its source, and how it is computed from that.
pub(super) type Written = (&'static str, Source, fn(&str) -> String);

use Source::{Format, Offset, Zone};

/// All of them. Those in capitals may also be written in small letters where those mean nothing of their own.
pub(super) const WRITTEN: [Written; 43] = [
    ("month", Format("%B"), |name| padded(&name.to_lowercase())),
    ("Month", Format("%B"), padded),
    ("MONTH", Format("%B"), |name| padded(&name.to_uppercase())),
    ("mon", Format("%b"), str::to_lowercase),
    ("MON", Format("%b"), str::to_uppercase),
    ("day", Format("%A"), |name| padded(&name.to_lowercase())),
    ("Day", Format("%A"), padded),
    ("DAY", Format("%A"), |name| padded(&name.to_uppercase())),
    ("dy", Format("%a"), str::to_lowercase),
    ("DY", Format("%a"), str::to_uppercase),
    ("rm", Format("%m"), |month| format!("{:<4}", roman(month).to_lowercase())),
    ("RM", Format("%m"), |month| format!("{:<4}", roman(month))),
    ("a.m.", Format("%P"), with_dots),
    ("A.M.", Format("%p"), with_dots),
    ("p.m.", Format("%P"), with_dots),
    ("P.M.", Format("%p"), with_dots),
    ("tz", Zone, str::to_lowercase),
    ("TZ", Zone, str::to_uppercase),
    ("TZH", Offset, |offset| first(offset, 3)),
    ("TZM", Offset, |offset| last(offset, 2)),
    ("OF", Offset, |offset| offset.trim_end_matches(":00").to_owned()),
    ("Q", Format("%q"), str::to_owned),
    ("WW", Format("%j"), |day| format!("{:02}", week(day))),
    ("W", Format("%d"), |day| week(day).to_string()),
    ("D", Format("%w"), |day| (number(day) + 1).to_string()),
    ("IDDD", Format("%V %u"), day_of_iso_year),
    ("J", Format("%Y %j"), julian_day),
    ("CC", Format("%Y"), |year| format!("{:02}", century(year))),
    ("Y,YYY", Format("%Y"), with_comma),
    ("YYY", Format("%Y"), |year| last(year, 3)),
    ("Y", Format("%Y"), |year| last(year, 1)),
    ("IYY", Format("%G"), |year| last(year, 3)),
    ("I", Format("%G"), |year| last(year, 1)),
    ("SSSSS", Format("%H %M %S"), seconds_of_day),
    ("SSSS", Format("%H %M %S"), seconds_of_day),
    ("FF1", Format("%6f"), |micros| first(micros, 1)),
    ("FF2", Format("%6f"), |micros| first(micros, 2)),
    ("FF3", Format("%6f"), |micros| first(micros, 3)),
    ("FF4", Format("%6f"), |micros| first(micros, 4)),
    ("FF5", Format("%6f"), |micros| first(micros, 5)),
    ("FF6", Format("%6f"), str::to_owned),
    ("AD", Format("%Y"), era),
    ("BC", Format("%Y"), era),
];

/// Names have the length of the longest, as in PostgreSQL.
fn padded(name: &str) -> String {
    format!("{name:<9}")
}

fn number(digits: &str) -> i64 {
    digits.trim().parse().unwrap_or_default()
}

/// Numbers behind one another.
fn numbers(text: &str) -> impl Iterator<Item = i64> {
    text.split(' ').map(number)
}

/// Weeks from the first day on, whichever day of the week that is.
fn week(day: &str) -> i64 {
    (number(day) - 1) / 7 + 1
}

fn century(year: &str) -> i64 {
    (number(year) + 99).div_euclid(100)
}

fn day_of_iso_year(week_and_day: &str) -> String {
    let mut parts = numbers(week_and_day);
    let (week, day) = (parts.next().unwrap_or(1), parts.next().unwrap_or(1));
    format!("{:03}", (week - 1) * 7 + day)
}

/// Days since November 24, 4714 BC.
fn julian_day(year_and_day: &str) -> String {
    const FIRST_OF_CE: i64 = 1_721_425;
    let mut parts = numbers(year_and_day);
    let year = parts.next().and_then(|year| i32::try_from(year).ok()).unwrap_or_default();
    let day = parts.next().and_then(|day| u32::try_from(day).ok()).unwrap_or(1);
    let date = NaiveDate::from_yo_opt(year, day).unwrap_or_default();
    (FIRST_OF_CE + i64::from(date.num_days_from_ce())).to_string()
}

fn seconds_of_day(time: &str) -> String {
    numbers(time).fold(0, |seconds, part| seconds * 60 + part).to_string()
}

fn with_comma(year: &str) -> String {
    let year = format!("{:04}", number(year));
    let (thousands, rest) = year.split_at(year.len() - 3);
    format!("{thousands},{rest}")
}

fn roman(month: &str) -> &'static str {
    const MONTHS: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];
    usize::try_from(number(month) - 1).ok().and_then(|month| MONTHS.get(month)).copied().unwrap_or_default()
}

fn with_dots(half: &str) -> String {
    half.chars().flat_map(|letter| [letter, '.']).collect()
}

fn era(year: &str) -> String {
    if number(year) > 0 { "AD" } else { "BC" }.to_owned()
}

fn first(text: &str, count: usize) -> String {
    text.chars().take(count).collect()
}

fn last(text: &str, count: usize) -> String {
    text.chars().skip(text.chars().count().saturating_sub(count)).collect()
}

/// `st`, `nd`, `rd` or `th`, as behind the number that a text ends with.
pub(super) fn ordinal(digits: &str) -> &'static str {
    let number = number(&last(digits, 2));
    match (number / 10, number % 10) {
        (1, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    }
}
