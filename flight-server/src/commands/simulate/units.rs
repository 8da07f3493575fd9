//! Parsers of the numbers that people write on a command line: `10s`, `5%`, `50k`. Each error says the rule; clap adds the flag
//! and the value.

use std::time::Duration;

use super::Metric;

/// Parses a duration: a number and `ms`, `s`, `m`, `h` or `d`.
///
/// # Errors
/// The rule, when `text` breaks it.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    const RULE: &str = "a duration is a number above 0 and ms, s, m, h or d, for example 10s";
    const UNITS: [(&str, f64); 5] = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0)];
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    let seconds = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, seconds)| *seconds).ok_or(RULE)?;
    let number = parse_number(digits).filter(|number| *number > 0.0).ok_or(RULE)?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| RULE.to_owned())
}

/// Parses a share: `5%` or `0.05`.
///
/// # Errors
/// The rule, when `text` breaks it.
pub(crate) fn parse_share(text: &str) -> Result<f64, String> {
    const RULE: &str = "a share is between 0% and 100%, for example 5% or 0.05";
    let share = match text.strip_suffix('%') {
        Some(percent) => parse_number(percent).map(|percent| percent / 100.0),
        None => parse_number(text),
    };
    share.filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| RULE.to_owned())
}

/// Parses a count: `2000000`, `2_000_000`, `500k` or `2M`.
///
/// # Errors
/// The rule, when `text` breaks it.
pub(crate) fn parse_count(text: &str) -> Result<usize, String> {
    const RULE: &str =
        "a count is a whole number, with k or M for thousands or millions if you like, for example 500k";
    let plain = text.replace('_', "");
    let (digits, factor) = match plain.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1_000.0),
        None => match plain.strip_suffix('M') {
            Some(digits) => (digits, 1_000_000.0),
            None => (plain.as_str(), 1.0),
        },
    };
    let count = parse_number(digits).map(|number| number * factor).ok_or(RULE)?;
    if count.fract() != 0.0 || !(0.0..=1e15).contains(&count) {
        return Err(RULE.to_owned());
    }
    // Below 2^53 and whole, so that its decimal form is exact.
    format!("{count:.0}").parse().map_err(|_| RULE.to_owned())
}

/// Parses a count that is at least one.
///
/// # Errors
/// The rule, when `text` breaks it.
pub(crate) fn parse_count_from_one(text: &str) -> Result<usize, String> {
    parse_count(text)?
        .checked_sub(1)
        .map_or_else(|| Err("must be at least 1".to_owned()), |less| Ok(less + 1))
}

/// Parses the exponent of a Zipf distribution.
///
/// # Errors
/// The rule, when `text` breaks it.
pub(crate) fn parse_exponent(text: &str) -> Result<f64, String> {
    const RULE: &str = "the exponent is between 0 (all devices alike) and 5, for example 1.1";
    parse_number(text).filter(|number| (0.0..=5.0).contains(number)).ok_or_else(|| RULE.to_owned())
}

/// Parses one metric by its name.
///
/// # Errors
/// The known names, when `text` is none of them.
pub(crate) fn parse_metric(text: &str) -> Result<Metric, String> {
    let names = || Metric::ALL.map(Metric::name).join(", ");
    Metric::parse(text).ok_or_else(|| format!("a simulated type is one of {}", names()))
}

/// Finite numbers in plain notation; `str::parse` alone also takes `inf`, `nan` and `1e9`.
fn parse_number(text: &str) -> Option<f64> {
    let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("2d"), Ok(Duration::from_hours(48)));
    }

    #[test]
    fn bad_durations_state_the_rule() {
        for text in ["10", "s", "-1s", "0s", "5x", "", "1e3s", "nans", "99999999999999999999d"] {
            assert!(parse_duration(text).unwrap_err().contains("for example 10s"), "{text}");
        }
    }

    #[test]
    fn shares_are_percent_or_fraction() {
        assert_eq!(parse_share("5%"), Ok(0.05));
        assert_eq!(parse_share("0.2"), Ok(0.2));
        assert_eq!(parse_share("100%"), Ok(1.0));
        for text in ["101%", "1.5", "-1%", "five", "%"] {
            assert!(parse_share(text).unwrap_err().contains("between 0% and 100%"), "{text}");
        }
    }

    #[test]
    fn counts_take_thousands_and_millions() {
        assert_eq!(parse_count("0"), Ok(0));
        assert_eq!(parse_count("2_000_000"), Ok(2_000_000));
        assert_eq!(parse_count("500k"), Ok(500_000));
        assert_eq!(parse_count("1.5M"), Ok(1_500_000));
        for text in ["", "k", "1.5", "-3", "1e6", "12q", "9999999999999999999"] {
            assert!(parse_count(text).unwrap_err().contains("whole number"), "{text}");
        }
        assert_eq!(parse_count_from_one("0"), Err("must be at least 1".to_owned()));
    }

    #[test]
    fn unknown_metrics_name_the_known() {
        assert_eq!(parse_metric("co2"), Ok(Metric::Co2));
        assert!(parse_metric("temprature").unwrap_err().contains("temperature, humidity"));
        assert!(parse_exponent("-1").is_err());
    }
}
