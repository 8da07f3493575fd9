//! Comparisons of `timestamp` with moments that have digits below a microsecond, against a naive comparison in nanoseconds.

use arrow::{array::AsArray, datatypes::Int64Type};
use hexflight_planner::ScalarValue;

use crate::support::{Fixture, START, event};

/// One row per microsecond, half of them in a file.
const ROWS: i64 = 10;

/// Ways to write a moment: what stands around its RFC 3339 text.
const SPELLINGS: [(&str, &str); 5] = [
    ("'", "'"),
    ("TIMESTAMP '", "'"),
    ("arrow_cast('", "', 'Timestamp(Nanosecond, Some(\"UTC\"))')"),
    ("(arrow_cast('", "', 'Timestamp(Nanosecond, None)') + INTERVAL '1 hour' - INTERVAL '1 hour')"),
    ("CAST('", "' AS TIMESTAMPTZ)"),
];

#[tokio::test]
async fn every_comparison_is_exact_below_a_microsecond() {
    let fixture = ten_microseconds().await;
    for nanos in [-1, 4_999, 5_000, 5_001] {
        for (before, after) in SPELLINGS {
            let moment = format!("{before}{}{after}", text_of(nanos));
            let by = |test: fn(i64, i64) -> bool| count(|row| test(row, nanos));
            let conditions = [
                (format!("timestamp < {moment}"), by(|row, nanos| row < nanos)),
                (format!("timestamp <= {moment}"), by(|row, nanos| row <= nanos)),
                (format!("timestamp > {moment}"), by(|row, nanos| row > nanos)),
                (format!("timestamp >= {moment}"), by(|row, nanos| row >= nanos)),
                (format!("timestamp = {moment}"), by(|row, nanos| row == nanos)),
                (format!("timestamp <> {moment}"), by(|row, nanos| row != nanos)),
                (format!("NOT timestamp < {moment}"), by(|row, nanos| row >= nanos)),
                (format!("{moment} < timestamp"), by(|row, nanos| row > nanos)),
                (format!("{moment} <= timestamp"), by(|row, nanos| row >= nanos)),
                (format!("{moment} > timestamp"), by(|row, nanos| row < nanos)),
                (format!("{moment} >= timestamp"), by(|row, nanos| row <= nanos)),
                (format!("{moment} = timestamp"), by(|row, nanos| row == nanos)),
                (format!("{moment} <> timestamp"), by(|row, nanos| row != nanos)),
                (format!("timestamp IS DISTINCT FROM {moment}"), by(|row, nanos| row != nanos)),
                (format!("timestamp IS NOT DISTINCT FROM {moment}"), by(|row, nanos| row == nanos)),
            ];
            let counts: Vec<_> = conditions
                .iter()
                .map(|(condition, _)| format!("count(*) FILTER (WHERE {condition})"))
                .collect();
            let found = fixture.rows(&format!("SELECT {} FROM events", counts.join(", "))).await;
            for (index, (condition, expected)) in conditions.iter().enumerate() {
                let count = found[0].column(index).as_primitive::<Int64Type>().value(0);
                assert_eq!(usize::try_from(count).unwrap(), *expected, "{condition}");
            }
            for (condition, expected) in &conditions[..5] {
                assert_eq!(rows(&fixture, condition).await, *expected, "{condition}");
            }
        }
    }
}

#[tokio::test]
async fn between_and_in_are_exact_below_a_microsecond() {
    let fixture = ten_microseconds().await;
    for (low, high) in [(1_500, 4_500), (2_000, 4_000), (2_001, 2_999), (-1, 9_001)] {
        let (from, to) = (text_of(low), text_of(high));
        let inside = count(|row| low <= row && row <= high);
        assert_eq!(
            rows(&fixture, &format!("timestamp BETWEEN '{from}' AND '{to}'")).await,
            inside,
            "{low} {high}"
        );
        let outside = format!("timestamp NOT BETWEEN '{from}' AND '{to}'");
        assert_eq!(rows(&fixture, &outside).await, 10 - inside, "{low} {high}");
        let one = count(|row| row == low || row == high);
        for list in [format!("'{from}', '{to}'"), format!("'{from}', '{to}', '{from}', '{to}', '{from}'")] {
            assert_eq!(rows(&fixture, &format!("timestamp IN ({list})")).await, one, "{low} {high}");
            assert_eq!(rows(&fixture, &format!("timestamp NOT IN ({list})")).await, 10 - one, "{low} {high}");
        }
    }
}

#[tokio::test]
async fn moments_anywhere_in_a_statement_are_exact() {
    let fixture = ten_microseconds().await;
    let moment = text_of(5_500);
    for (sql, expected) in [
        (format!("SELECT sum(CASE WHEN timestamp < '{moment}' THEN 1 ELSE 0 END) FROM events"), "6"),
        (format!("SELECT count(*) FILTER (WHERE timestamp > '{moment}') FROM events"), "4"),
        (format!("SELECT count(*) FROM (SELECT timestamp AS t FROM events) WHERE t < '{moment}'"), "6"),
        (
            format!(
                "SELECT count(*) FROM events a JOIN events b ON a.timestamp = b.timestamp AND b.timestamp >= '{moment}'"
            ),
            "4",
        ),
        (
            format!(
                "SELECT count(*) FROM events WHERE timestamp IN (SELECT timestamp FROM events WHERE timestamp < '{moment}')"
            ),
            "6",
        ),
        (
            format!(
                "SELECT count(*) FROM (SELECT max(timestamp) AS t FROM events GROUP BY value HAVING max(timestamp) < '{moment}')"
            ),
            "6",
        ),
    ] {
        assert_eq!(fixture.value(&sql).await, expected, "{sql}");
    }
    let rows = fixture.rows(&format!("SELECT timestamp < '{moment}' FROM events LIMIT 1")).await;
    assert_eq!(rows[0].schema().field(0).name(), &format!("events.timestamp < Utf8(\"{moment}\")"));
}

#[tokio::test]
async fn parameters_in_nanoseconds_are_exact() {
    let fixture = ten_microseconds().await;
    let sql = "SELECT count(*) FROM events WHERE timestamp < $1";
    for (nanos, expected) in [(5_000, 5), (5_001, 6), (4_999, 5)] {
        let value = ScalarValue::TimestampNanosecond(Some(START * 1_000 + nanos), Some("UTC".into()));
        let rows = fixture.rows_with(sql, vec![value]).await;
        assert_eq!(crate::support::first_value(&rows), expected.to_string(), "{nanos}");
    }
}

#[tokio::test]
async fn a_moment_before_1970_rounds_to_the_right_side() {
    let fixture = ten_microseconds().await;
    let old = "SELECT arrow_cast(-1, 'Timestamp(Microsecond, None)') AS t";
    for (condition, expected) in [
        ("t < '1969-12-31T23:59:59.9999995'", "1"),
        ("t <= '1969-12-31T23:59:59.9999995'", "1"),
        ("t > '1969-12-31T23:59:59.9999995'", "0"),
        ("t >= '1969-12-31T23:59:59.9999985'", "1"),
        ("t < '1969-12-31T23:59:59.9999985'", "0"),
    ] {
        let sql = format!("SELECT count(*) FROM ({old} FROM events LIMIT 1) WHERE {condition}");
        assert_eq!(fixture.value(&sql).await, expected, "{condition}");
    }
}

async fn ten_microseconds() -> Fixture {
    let fixture = Fixture::new().await;
    let events: Vec<_> = (0_i32..)
        .zip(0..ROWS)
        .map(|(value, row)| event(START + row, "a", "temperature", value.into()))
        .collect();
    fixture.append_to_files(&events[..5]).await;
    fixture.append(&events[5..]).await;
    fixture
}

async fn rows(fixture: &Fixture, condition: &str) -> usize {
    let count = fixture.value(&format!("SELECT count(*) FROM events WHERE {condition}")).await;
    count.parse().unwrap()
}

/// Rows whose ns after [`START`] satisfy a test.
fn count(test: impl Fn(i64) -> bool) -> usize {
    (0..ROWS).filter(|row| test(row * 1_000)).count()
}

/// [`START`] and some nanoseconds, at most one before it.
fn text_of(nanos: i64) -> String {
    if nanos < 0 {
        return "2023-12-31T23:59:59.999999999Z".to_owned();
    }
    format!("2024-01-01T00:00:00.{nanos:09}Z")
}
