//! Intervals in the texts of errors: DataFusion writes out the struct that holds one, people write `INTERVAL '1 hour'`.

/// The structs, as `Debug` writes them, and how many nanoseconds their last part counts in.
const STRUCTS: [(&str, i64); 2] = [("IntervalMonthDayNano", 1), ("IntervalDayTime", 1_000_000)];

/// Says every interval of a text as SQL has it.
pub(super) fn with_plain_intervals(text: &str) -> String {
    STRUCTS.iter().fold(text.to_owned(), |text, (name, nanos)| replaced(&text, name, *nanos))
}

fn replaced(text: &str, name: &str, nanos: i64) -> String {
    let (open, quoted) = (format!("{name} {{ "), format!("{name}(\""));
    let (mut plain, mut rest) = (String::new(), text);
    while let Some((before, parts, after)) = split(rest, &open) {
        plain.push_str(before);
        rest = after;
        // The text of a literal has the struct between quotes.
        if let (Some(outer), Some(behind)) = (plain.strip_suffix(&quoted), after.strip_prefix("\")")) {
            plain.truncate(outer.len());
            rest = behind;
        }
        plain.push_str(&interval(parts, nanos).unwrap_or_else(|| parts.to_owned()));
    }
    plain + rest
}

/// What is before a struct, its parts, and what is behind it.
fn split<'a>(text: &'a str, open: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let (before, rest) = text.split_once(open)?;
    let (parts, after) = rest.split_once(" }")?;
    Some((before, parts, after))
}

/// `months: 1, days: 0, nanoseconds: 0` as `INTERVAL '1 month'`.
fn interval(parts: &str, nanos: i64) -> Option<String> {
    let numbers = parts.split(", ").map(|part| part.split_once(": ")?.1.parse::<i64>().ok());
    let (months, days, time) = match numbers.collect::<Option<Vec<_>>>()?.as_slice() {
        [months, days, time] => (*months, *days, *time),
        [days, time] => (0, *days, *time),
        _ => return None,
    };
    Some(format!("INTERVAL '{}'", words(months, days, time.checked_mul(nanos)?)))
}

/// **Units**: `time` in ns.
fn words(months: i64, days: i64, time: i64) -> String {
    const SECOND: i64 = 1_000_000_000;
    let whole = [
        (months / 12, "year"),
        (months % 12, "month"),
        (days, "day"),
        (time / (3_600 * SECOND), "hour"),
        (time / (60 * SECOND) % 60, "minute"),
    ];
    let mut words: Vec<_> = whole
        .iter()
        .filter(|(count, _)| *count != 0)
        .map(|(count, unit)| format!("{count} {unit}{}", if count.abs() == 1 { "" } else { "s" }))
        .collect();
    let rest = time % (60 * SECOND);
    if rest != 0 || words.is_empty() {
        let sign = if rest < 0 { "-" } else { "" };
        let number = format!("{sign}{}.{:09}", (rest / SECOND).abs(), (rest % SECOND).abs());
        let number = number.trim_end_matches('0').trim_end_matches('.');
        words.push(format!("{number} second{}", if rest.abs() == SECOND { "" } else { "s" }));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_written_as_in_sql() {
        for (text, plain) in [
            (
                "a stride of IntervalMonthDayNano { months: 0, days: 0, nanoseconds: -3600000000000 } is",
                "a stride of INTERVAL '-1 hour' is",
            ),
            (
                "IntervalMonthDayNano(\"IntervalMonthDayNano { months: 14, days: 1, nanoseconds: 61500000000 }\") + x",
                "INTERVAL '1 year 2 months 1 day 1 minute 1.5 seconds' + x",
            ),
            ("IntervalDayTime { days: -2, milliseconds: 500 }", "INTERVAL '-2 days 0.5 seconds'"),
            ("IntervalMonthDayNano { months: 0, days: 0, nanoseconds: 0 }", "INTERVAL '0 seconds'"),
            (
                "Interval(MonthDayNano) and IntervalMonthDayNano { x",
                "Interval(MonthDayNano) and IntervalMonthDayNano { x",
            ),
        ] {
            assert_eq!(with_plain_intervals(text), plain);
        }
    }
}
