//! Tests of how numbers of JSON are read.

use super::*;

#[test]
fn digits_are_kept_and_exponents_written_out() {
    for (text, expected) in [
        ("12345678901234567890", Some("12345678901234567890")),
        ("-1.10", Some("-1.10")),
        ("\"77\"", Some("77")),
        ("\"x\"", None),
        ("true", None),
        ("null", None),
        ("[1]", None),
        ("1e3", Some("1000.0")),
        ("-1.25e1", Some("-12.50")),
        ("1.25E2", Some("125.0")),
        ("15e-1", Some("1.50")),
        ("1.5e-3", Some("0.0015")),
        ("-120e-1", Some("-12.00")),
        ("1e400", Some("1e400")),
        ("0e400", Some("0.0")),
    ] {
        assert_eq!(digits(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn what_is_smaller_than_any_decimal_is_written_out_as_almost_nothing() {
    for text in ["-1e-400", "12.5e-99999999999999999999"] {
        assert_eq!(
            digits(text).as_deref().map(|digits| whole(digits.to_owned())).as_deref(),
            Some("0"),
            "{text}"
        );
    }
}

#[test]
fn whole_numbers_are_rounded_half_away_from_zero() {
    for (text, expected) in [
        ("12.5", "13"),
        ("-12.5", "-13"),
        ("12.49", "12"),
        ("1.0", "1"),
        ("1e3", "1000"),
        ("\"12\"", "12"),
        ("-0.4", "0"),
        ("-0", "0"),
        ("99999999999999999999.5", "100000000000000000000"),
        ("1.5e400", "1.5e400"),
    ] {
        assert_eq!(digits(text).map(whole).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn numbers_compare_without_rounding() {
    let sign = |left: &str, right: &str| compare_json(left, right);
    assert_eq!(sign("9007199254740993", "9007199254740992"), Some(Ordering::Greater));
    assert_eq!(sign("9007199254740993", "9007199254740992.0"), Some(Ordering::Greater));
    assert_eq!(sign("1", "1.0"), Some(Ordering::Equal));
    assert_eq!(sign("-0.0", "0"), Some(Ordering::Equal));
    assert_eq!(sign("1e300", "12345678901234567890"), Some(Ordering::Greater));
    assert_eq!(sign("-1.5", "-1"), Some(Ordering::Less));
}

#[test]
fn only_values_of_one_kind_compare() {
    assert_eq!(compare_json("\"a\"", "\"b\""), Some(Ordering::Less));
    assert_eq!(compare_json("true", "false"), Some(Ordering::Greater));
    assert_eq!(compare_json("\"1\"", "1"), None);
    assert_eq!(compare_json("null", "null"), None);
    assert_eq!(compare_json("{\"a\":1}", "{\"a\":1}"), Some(Ordering::Equal));
}

#[test]
fn a_union_reads_as_its_text_does() {
    assert_eq!(quoted("a\"b\\\n"), "\"a\\\"b\\\\\\u000a\"");
}
