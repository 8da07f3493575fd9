//! Intervals times and by numbers, as PostgreSQL has them, and intervals in the words of errors.

use hexflight_planner::ScalarValue;

use crate::values_table::{expect, expect_kept, rows_of, ten_events};

/// Expected follows PostgreSQL's `interval_mul` and `interval_div`.
#[tokio::test]
async fn intervals_are_multiplied_and_divided() {
    expect(
        &ten_events().await,
        &[
            ("SELECT INTERVAL '1 hour' * 3, 3 * INTERVAL '1 hour'", "3 hours 3 hours"),
            ("SELECT INTERVAL '1 hour' / 2, INTERVAL '1 month' / 2", "30 mins 15 days"),
            ("SELECT INTERVAL '1 month' * 1.5, INTERVAL '1 day' * 0.25", "1 mons 15 days 6 hours"),
            ("SELECT -2 * INTERVAL '1 day', INTERVAL '1 hour' * -0.5", "-2 days -30 mins"),
            ("SELECT INTERVAL '1 day' / 3 * 2, 2 * 3 * INTERVAL '10 minutes'", "16 hours 1 hours"),
            ("SELECT DATE '2025-06-01' + INTERVAL '3 hours' * 2", "2025-06-01T06:00:00"),
            ("SELECT DATE '2025-06-01' - 2 * INTERVAL '1 day' + INTERVAL '1 hour' / 4", "2025-05-30T00:15:00"),
            ("SELECT INTERVAL '1 hour' * NULL, NULL * INTERVAL '1 hour'", " "),
            ("SELECT INTERVAL '1 hour' * (SELECT count(*) FROM events)", "10 hours"),
            ("SELECT sum(value * INTERVAL '1 hour') FROM events", "25 hours"),
            ("SELECT timestamp - value * INTERVAL '1 minute' FROM events ORDER BY device_id LIMIT 2", "2024-01-01T00:02:00Z; 2024-01-01T03:01:00Z"),
            ("SELECT timestamp + (lead(timestamp) OVER (ORDER BY timestamp) - timestamp) / 2 FROM events ORDER BY 1 LIMIT 1", "2024-01-01T01:30:00Z"),
            ("SELECT date_bin(INTERVAL '30 minutes' * 24, timestamp), count(*) FROM events GROUP BY 1 ORDER BY 1", "2024-01-01T00:00:00Z 4; 2024-01-01T12:00:00Z 4; 2024-01-02T00:00:00Z 2"),
        ],
    )
    .await;
}

#[tokio::test]
async fn conditions_multiply_intervals_by_columns_and_parameters() {
    let fixture = ten_events().await;
    expect_kept(
        &fixture,
        &[
            ("timestamp > TIMESTAMP '2024-01-02' - 2 * INTERVAL '2 hours'", "7 8 9"),
            (
                "timestamp + (2 - value) * INTERVAL '3 hours' = TIMESTAMP '2024-01-01 12:00'",
                "0 1 2 3 4 5 6 7 8 9",
            ),
            ("timestamp = (SELECT max(b.timestamp) FROM events b) - value::int * INTERVAL '3 hours' / 7", ""),
        ],
    )
    .await;
    for bound in ["$1 * INTERVAL '1 hour'", "INTERVAL '1 hour' * $1", "INTERVAL '9 hours' / $1"] {
        let sql = format!("SELECT count(*) FROM events WHERE timestamp > TIMESTAMP '2024-01-02' - {bound}");
        assert_eq!(rows_of(&fixture, &sql, vec![ScalarValue::from(3_i64)]).await, "2", "{sql}");
        assert_eq!(rows_of(&fixture, &sql, vec![ScalarValue::from(3.0)]).await, "2", "{sql}");
        let parameters = fixture.queries.schema(&sql).await.unwrap().parameters;
        assert_eq!(*parameters.field(0).data_type(), arrow::datatypes::DataType::Float64, "{sql}");
    }
}

#[tokio::test]
async fn intervals_that_cannot_be_are_refused() {
    let fixture = ten_events().await;
    for (sql, words) in [
        ("SELECT INTERVAL '1 hour' / 0", "division by zero"),
        ("SELECT INTERVAL '1 year' * 1e20", "interval out of range"),
        ("SELECT INTERVAL '1 hour' * ('NaN'::float)", "interval out of range"),
    ] {
        assert!(fixture.refusal(sql).await.message.contains(words), "{sql}");
    }
}

#[tokio::test]
async fn errors_write_intervals_as_people_do() {
    let fixture = ten_events().await;
    let frame = |offset: &str| {
        format!(
            "SELECT sum(value) OVER (ORDER BY timestamp RANGE BETWEEN INTERVAL '{offset}' PRECEDING AND CURRENT ROW) FROM events"
        )
    };
    for (sql, words) in [
        ("SELECT date_bin(INTERVAL '-1 hour', timestamp) FROM events", "a stride of INTERVAL '-1 hour' must"),
        (
            "SELECT date_bin(INTERVAL '0 seconds', timestamp) FROM events",
            "a stride of INTERVAL '0 seconds' must",
        ),
        (&frame("-90 minutes"), "must not be negative: INTERVAL '-1 hour -30 minutes';"),
        (&frame("-1.5 seconds"), "must not be negative: INTERVAL '-1.5 seconds';"),
    ] {
        let error = fixture.refusal(sql).await;
        assert!(error.message.contains(words), "{sql}: {error}");
    }
}
