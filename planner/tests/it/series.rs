//! Tables of `generate_series`, between all that people write there.

use hexflight_planner::ScalarValue;

use crate::values_table::{expect, rows_of, ten_events};

#[tokio::test]
async fn series_of_moments_keep_their_hours() {
    expect(
        &ten_events().await,
        &[
            ("SELECT * FROM generate_series(DATE '2025-06-01', DATE '2025-06-01' + INTERVAL '2 hours', INTERVAL '1 hour')", "2025-06-01T00:00:00; 2025-06-01T01:00:00; 2025-06-01T02:00:00"),
            ("SELECT * FROM range(INTERVAL '30 minutes' + DATE '2025-06-01', DATE '2025-06-01' + INTERVAL '2 hours', INTERVAL '1 hour')", "2025-06-01T00:30:00; 2025-06-01T01:30:00"),
            ("SELECT * FROM generate_series(TIMESTAMP '2025-06-01 00:10', '2025-06-01 01:10'::timestamp, INTERVAL '1 hour')", "2025-06-01T00:10:00; 2025-06-01T01:10:00"),
            ("SELECT * FROM generate_series(TIMESTAMP 'epoch', TIMESTAMP '1970-01-01 02', INTERVAL '1 hour' * 2)", "1970-01-01T00:00:00; 1970-01-01T02:00:00"),
            ("SELECT count(*) FROM generate_series(now() - 3 * INTERVAL '1 hour', now(), INTERVAL '1 hour')", "4"),
            ("SELECT max(value) FROM generate_series(1, date_part('epoch', TIMESTAMP '1970-01-01 00:01')::bigint)", "60"),
        ],
    )
    .await;
}

#[tokio::test]
async fn series_lie_between_subqueries() {
    expect(
        &ten_events().await,
        &[
            ("SELECT * FROM generate_series((SELECT min(timestamp) FROM events), (SELECT max(timestamp) FROM events), INTERVAL '12 hours')", "2024-01-01T00:00:00Z; 2024-01-01T12:00:00Z; 2024-01-02T00:00:00Z"),
            ("SELECT * FROM generate_series((SELECT min(value)::int FROM events), 0)", "-2; -1; 0"),
            ("SELECT * FROM range(1, (SELECT count(*) FROM events), 4)", "1; 5; 9"),
            ("SELECT g.value FROM generate_series((SELECT min(timestamp) FROM events)::date, DATE '2024-01-01' + INTERVAL '6 hours', INTERVAL '6 hours') AS g", "2024-01-01T00:00:00; 2024-01-01T06:00:00"),
            ("SELECT count(*) FROM generate_series((SELECT NULL::int), 5)", "0"),
            ("SELECT g.n, count(e.value) FROM generate_series((SELECT min(timestamp) FROM events), '2024-01-02', INTERVAL '12 hours') AS g(n) LEFT JOIN events e ON date_bin(INTERVAL '12 hours', e.timestamp) = g.n GROUP BY 1 ORDER BY 1", "2024-01-01T00:00:00Z 4; 2024-01-01T12:00:00Z 4; 2024-01-02T00:00:00Z 2"),
        ],
    )
    .await;
}

#[tokio::test]
async fn parameters_stand_in_arithmetic_and_beside_subqueries() {
    let fixture = ten_events().await;
    for sql in [
        "SELECT count(*) FROM generate_series($1, $1::timestamptz + INTERVAL '12 hours' * $2, INTERVAL '12 hours')",
        "SELECT count(*) FROM generate_series($1, $1::timestamptz + INTERVAL '24 hours', INTERVAL '1 day' / $2)",
        "SELECT count(*) FROM generate_series($1, (SELECT max(timestamp) FROM events) - INTERVAL '1 hour' * $2, INTERVAL '12 hours')",
    ] {
        let values = vec![ScalarValue::from("2024-01-01 00"), ScalarValue::from(2_i64)];
        assert_eq!(rows_of(&fixture, sql, values).await, "3", "{sql}");
    }
}

#[tokio::test]
async fn a_series_of_each_row_is_refused_with_the_form_that_works() {
    let fixture = ten_events().await;
    for sql in [
        "SELECT count(*) FROM events a, generate_series(1, a.value::int)",
        "SELECT count(*) FROM events a CROSS JOIN LATERAL generate_series(1, a.value::int) AS g(n)",
        "SELECT count(*) FROM events a LEFT JOIN LATERAL range(a.timestamp, now(), INTERVAL '1 day') AS g(n) ON true",
    ] {
        let error = fixture.refusal(sql).await;
        assert!(error.message.contains("write SELECT *, unnest(generate_series("), "{sql}: {error}");
    }
    let works =
        "SELECT count(*) FROM (SELECT *, unnest(generate_series(1, value::int)) AS n FROM events) AS t";
    expect(&fixture, &[(works, "28")]).await;
}
