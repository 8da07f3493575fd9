//! Values that grow with the rows that they are made of, `array_agg` and `string_agg`, and answers that grow with a window.

use std::time::Duration;

use insta::assert_snapshot;

use crate::support::{Fixture, check, random_events};

const ROWS: usize = 20_000;

/// Far above what a refusal takes unoptimised; what is refused takes minutes or all memory.
const TIME_MAX: Duration = Duration::from_secs(30);

async fn fixture() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.append(&random_events(1, ROWS, 2)).await;
    fixture
}

/// One per line.
const TOO_LARGE: [&str; 13] = [
    "SELECT sum(length(l)) FROM (SELECT string_agg(repeat('x', 2000), '') OVER (ORDER BY value) AS l FROM events) q",
    "SELECT sum(length(l)) FROM (SELECT string_agg(repeat('x', 20000), '') OVER () AS l FROM events) q",
    "SELECT sum(length(l)) FROM (SELECT string_agg(repeat('x', 2000), '') OVER () AS l FROM events) q",
    "SELECT sum(length(l)) FROM (SELECT max(repeat('x', CASE WHEN v = 5 THEN 20000 ELSE 1 END)) OVER () AS l FROM generate_series(1, 20000) t(v)) q",
    "SELECT sum(length(l)) FROM (SELECT first_value(repeat('x', CASE WHEN v = 1 THEN 100000 ELSE 1 END)) OVER (ORDER BY v) AS l FROM generate_series(1, 20000) t(v)) q",
    "SELECT sum(cardinality(l)) FROM (SELECT array_agg(repeat(type, 100)) OVER (ORDER BY value) AS l FROM events) q",
    "SELECT sum(cardinality(l)) FROM (SELECT array_agg(repeat(type, 100)) OVER (ORDER BY value DESC ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS l FROM events) q",
    "SELECT sum(cardinality(l)) FROM (SELECT array_agg(repeat(type, 10)) OVER (ORDER BY value ROWS BETWEEN 9000 PRECEDING AND CURRENT ROW) AS l FROM events) q",
    "SELECT sum(cardinality(l)) FROM (SELECT array_agg(DISTINCT repeat(type, 100) || value::text) OVER (ORDER BY value) AS l FROM events) q",
    "SELECT length(string_agg(repeat(type, 1000), ',')) FROM events",
    "SELECT length(string_agg(repeat(type, 1000), ',' ORDER BY value)) FROM events",
    "SELECT left(device_id, 1), cardinality(array_agg(repeat(type, 1000))) FROM events GROUP BY 1",
    "SELECT cardinality(array_agg(DISTINCT repeat(type, 1000) || timestamp::text)) FROM events",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_grows_beyond_all_bounds_is_refused_early() {
    let fixture = fixture().await;
    fixture.all_too_large(&TOO_LARGE, TIME_MAX).await;
    let peak = fixture.engine.budget().peak();
    assert!(peak < 1 << 30, "{peak}");
}

#[tokio::test]
async fn refusals_name_the_aggregate_the_size_and_the_rule() {
    let fixture = fixture().await;
    let refusal = async |sql: &str| fixture.refusal(sql).await.message;
    assert_snapshot!(refusal("SELECT array_agg(repeat('x', 1000000)) FROM generate_series(1, 100)").await, @"array_agg: a value of 100001600 bytes; one value has at most 67108864 bytes");
    assert_snapshot!(refusal("SELECT string_agg(repeat('x', 30000), '') OVER () FROM generate_series(1, 200)").await, @"string_agg: 200 rows of a window have 1200000000 bytes together; a whole partition of one value, or 8192 rows of several, have at most 268435456 bytes");
    assert_snapshot!(refusal("SELECT string_agg(repeat('x', 30000), '') OVER (ORDER BY v) FROM generate_series(1, 200) t(v)").await, @"string_agg: 134 rows of a window have 271350000 bytes together; a whole partition of one value, or 8192 rows of several, have at most 268435456 bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_within_bounds_is_answered() {
    let fixture = fixture().await;
    check(
        &fixture,
        &[
            ("SELECT length(string_agg('ab', ', ')) FROM events", "79998"),
            ("SELECT cardinality(array_agg(value ORDER BY timestamp)) FROM events", "20000"),
            ("SELECT sum(c) FROM (SELECT type, cardinality(array_agg(repeat(device_id, 20))) AS c FROM events GROUP BY type) q", "20000"),
            ("SELECT array_agg(v) OVER (ORDER BY v) FROM generate_series(1, 3) t(v) ORDER BY v DESC LIMIT 1", "[1, 2, 3]"),
            ("SELECT array_agg(DISTINCT v % 2 ORDER BY v % 2) FROM generate_series(1, 9) t(v)", "[0, 1]"),
            ("SELECT array_agg(v ORDER BY v DESC) FROM generate_series(1, 3) t(v)", "[3, 2, 1]"),
            ("SELECT array_agg(v) IGNORE NULLS FROM (VALUES (1), (NULL), (2)) t(v)", "[1, 2]"),
            ("SELECT string_agg(DISTINCT (v % 2)::text, '-' ORDER BY (v % 2)::text DESC) FROM generate_series(1, 9) t(v)", "1-0"),
            ("SELECT string_agg(v::text, NULL ORDER BY v) FROM generate_series(1, 3) t(v)", "123"),
            ("SELECT string_agg(v::text, '-') FILTER (WHERE v > 5) IS NULL FROM generate_series(1, 3) t(v)", "true"),
            ("SELECT count(*) FROM (SELECT array_agg(value) OVER (PARTITION BY device_id, type ORDER BY timestamp ROWS 10 PRECEDING) AS l FROM events) q WHERE cardinality(l) BETWEEN 1 AND 11", "20000"),
            ("SELECT count(*) FROM (SELECT max(repeat(type, 100)) OVER () AS l FROM events) q WHERE length(l) > 100", "20000"),
            ("SELECT lag(v) OVER (ORDER BY v) FROM generate_series(1, 3) t(v) ORDER BY v DESC LIMIT 1", "2"),
            ("SELECT nth_value(v, 2) OVER (ORDER BY v DESC ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM generate_series(1, 3) t(v) LIMIT 1", "2"),
        ],
    )
    .await;
}
