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
    text.split([' ', ';'])
        .filter(|cell| !cell.is_empty())
        .map(|number| number.parse().unwrap_or_else(|_| panic!("{sql}: {text}")))
        .collect()
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

#[tokio::test]
async fn a_large_value_takes_no_spread_along_when_it_leaves_a_window() {
    let values = [1.0, 1e15, 1e9 + 1.0, 1e9 + 2.0, 1e9 + 4.0, 1e9 + 7.0];
    let fixture = fixture_of(values.into_iter()).await;
    for (statistic, expected) in [
        ("var(y) OVER w", [19.0 / 3.0, 7.0 / 3.0]),
        ("var_pop(y) OVER w", [38.0 / 9.0, 14.0 / 9.0]),
        ("(stddev(y) OVER w) ^ 2", [19.0 / 3.0, 7.0 / 3.0]),
        ("(stddev_pop(y) OVER w) ^ 2", [38.0 / 9.0, 14.0 / 9.0]),
        ("covar_samp(y, x) OVER w", [2.5, 1.5]),
        ("covar_pop(y, x) OVER w", [5.0 / 3.0, 1.0]),
        ("(corr(y, x) OVER w) ^ 2", [75.0 / 76.0, 27.0 / 28.0]),
        ("regr_slope(y, x) OVER w", [2.5, 1.5]),
        ("regr_intercept(y, x - 1704067204) OVER w", [1e9 + 13.0 / 3.0, 1e9 + 23.0 / 6.0]),
        ("regr_r2(y, x) OVER w", [75.0 / 76.0, 27.0 / 28.0]),
        ("(regr_avgx(y, x) OVER w) - 1704067200", [4.0, 3.0]),
        ("regr_avgy(y, x) OVER w", [1e9 + 13.0 / 3.0, 1e9 + 7.0 / 3.0]),
        ("regr_sxx(y, x) OVER w", [2.0, 2.0]),
        ("regr_syy(y, x) OVER w", [38.0 / 3.0, 14.0 / 3.0]),
        ("regr_sxy(y, x) OVER w", [5.0, 3.0]),
        ("regr_count(y, x) OVER w", [3.0, 3.0]),
    ] {
        let sql = format!(
            "SELECT {statistic} FROM (SELECT value AS y, extract(epoch FROM timestamp) AS x FROM events)
             WINDOW w AS (ORDER BY x ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) ORDER BY x DESC LIMIT 2"
        );
        let found = numbers(&fixture, &sql).await;
        assert_eq!(found.len(), 2, "{sql}");
        for (found, expected) in found.iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-9, "{sql}: {found}, expected {expected}");
        }
    }
}

#[tokio::test]
async fn a_correlation_of_groups_is_that_of_all_rows() {
    let fixture = fixture_of((0..9).map(|row| 1e9 + f64::from(row * row))).await;
    for rest in ["", " GROUP BY type"] {
        let sql = format!("SELECT corr(value, extract(epoch FROM timestamp)) FROM events{rest}");
        let found = numbers(&fixture, &sql).await[0];
        assert!((found - 0.962_157_652_424).abs() < 1e-6, "{sql}: {found}");
    }
}
