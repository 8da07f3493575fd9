//! Sums whose partial sums leave the range of doubles: one answer on every path.

use crate::{
    support::{Event, Fixture, START, event},
    values_table::expect,
};

const SECOND: i64 = 1_000_000;

/// By the rollup's total, its minutes, its devices; by rows; by DataFusion; in windows.
const STATEMENTS: [&str; 9] = [
    "SELECT sum(value), avg(value) FROM events",
    "SELECT sum(value), avg(value) FROM events WHERE type = 'a'",
    "SELECT sum(value), avg(value) FROM events WHERE timestamp >= '2024-01-01 00:00:00.000001'::timestamptz - INTERVAL '1 hour'",
    "SELECT sum(value), avg(value) FROM events GROUP BY type",
    "SELECT sum(value), avg(value) FROM events GROUP BY date_bin(INTERVAL '1 day', timestamp)",
    "SELECT sum(value), avg(value) FROM events WHERE device_id <> 'z' GROUP BY substr(type, 1, 1)",
    "SELECT sum(value), avg(value) FROM events WHERE length(type) = 1",
    "SELECT sum(v), avg(v) FROM (SELECT value AS v FROM events ORDER BY value DESC LIMIT 5000)",
    "SELECT max(s), max(a) FROM (SELECT sum(value) OVER () AS s, avg(value) OVER () AS a FROM events)",
];

#[tokio::test]
async fn what_cancels_out_is_almost_nothing() {
    for (order, is_positive) in [
        ("halves", (|row| row < 1_000) as fn(i32) -> bool),
        ("alternately", |row| row % 2 == 0),
        ("pairs", |row| row % 4 < 2),
    ] {
        let values = (0..2_000).map(|row| if is_positive(row) { 1e308 } else { -1e308 });
        let fixture = fixture_of(values).await;
        for sql in STATEMENTS {
            for number in numbers(&fixture, sql).await {
                // Rounding errors of sums of 2,000 such values.
                assert!(number.abs() < 1e299, "{order}: {sql}: {number}");
            }
        }
    }
}

#[tokio::test]
async fn an_average_is_in_range_where_the_sum_is_infinite() {
    let fixture = fixture_of((0..2_000).map(|_| 1e308)).await;
    for sql in STATEMENTS {
        let found = numbers(&fixture, sql).await;
        assert_eq!(found[0], f64::INFINITY, "{sql}");
        assert!((found[1] / 1e308 - 1.0).abs() < 1e-12, "{sql}: {}", found[1]);
    }
}

#[tokio::test]
async fn sums_move_with_their_window_and_skip_what_is_filtered() {
    let fixture = fixture_of((0..8).map(|row| if row < 4 { 1e308 } else { 1.0 })).await;
    let moving = "SELECT string_agg(s::text, ' ' ORDER BY t) FROM (SELECT timestamp AS t, sum(value) OVER
        (ORDER BY timestamp ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) < 1e300 AS s FROM events)";
    expect(
        &fixture,
        &[
            (moving, "false false false false false true true true"),
            ("SELECT sum(value) FILTER (WHERE value < 2), avg(value) FILTER (WHERE value < 2) FROM events", "4.0 1.0"),
            ("SELECT sum(value) FROM events WHERE value > 1.5e308", ""),
            ("SELECT sum(latitude), avg(latitude) FROM events", " "),
            ("SELECT sum('inf'::double), sum(x) FROM (SELECT 'inf'::double AS x UNION ALL SELECT '-inf'::double)", "inf NaN"),
            ("SELECT sum(DISTINCT value % 2), avg(DISTINCT value % 2) FROM events", "1.0 0.5"),
            ("SELECT sum(value::int % 3), avg(2), sum(CAST(1.5 AS DECIMAL(5,2))) FROM events WHERE value < 2", "4 2.0 6.00"),
        ],
    )
    .await;
}

/// Half of the rows in a file with its rollup, a quarter in another, the rest in memory.
async fn fixture_of(values: impl Iterator<Item = f64>) -> Fixture {
    let events: Vec<Event> =
        (0..).zip(values).map(|(row, value)| event(START + row * SECOND, "d", "a", value)).collect();
    let (half, quarter) = (events.len() / 2, events.len() / 4);
    let fixture = Fixture::new().await;
    fixture.append_to_files(&events[..half]).await;
    fixture.append_to_files(&events[half..half + quarter]).await;
    fixture.append(&events[half + quarter..]).await;
    fixture
}

async fn numbers(fixture: &Fixture, sql: &str) -> Vec<f64> {
    let text = crate::values_table::rows_of(fixture, sql, vec![]).await;
    text.split([' ', ';']).map(|number| number.parse().unwrap_or_else(|_| panic!("{sql}: {text}"))).collect()
}

#[tokio::test]
async fn a_large_value_takes_nothing_along_when_it_leaves_a_window() {
    let fixture = fixture_of([21.0, 1e17, 1.0, 1.0, 2.5].into_iter()).await;
    let moving = |call: &str, frame: &str| {
        format!(
            "SELECT string_agg(round(s)::text, ' ' ORDER BY t) FROM (SELECT timestamp AS t, {call} OVER
             (ORDER BY timestamp ROWS BETWEEN {frame}) AS s FROM events)"
        )
    };
    let (sums, rest) =
        (moving("sum(value)", "1 PRECEDING AND CURRENT ROW"), "CURRENT ROW AND UNBOUNDED FOLLOWING");
    expect(
        &fixture,
        &[
            (&sums, "21.0 1.0000000000000002e17 1e17 2.0 4.0"),
            (&moving("avg(value)", "2 PRECEDING AND 1 PRECEDING"), "21.0 5.000000000000001e16 5e16 1.0"),
            (&moving("sum(value)", rest), "1.0000000000000002e17 1e17 5.0 4.0 3.0"),
        ],
    )
    .await;
}
