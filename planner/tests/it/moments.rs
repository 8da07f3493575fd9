//! Dates with intervals, time zones and moments that nanoseconds cannot hold, as PostgreSQL has them.

use crate::values_table::{expect, expect_kept, ten_events};

/// Row 1 is at 03:00 of 2024-01-01, row 8 at midnight of the next day.
#[tokio::test]
async fn a_date_and_an_interval_are_a_moment() {
    let fixture = ten_events().await;
    expect_kept(
        &fixture,
        &[
            ("timestamp < DATE '2024-01-01' + INTERVAL '3 hours'", "0"),
            ("timestamp < INTERVAL '4 hours' + DATE '2024-01-01'", "0 1"),
            ("timestamp >= DATE '2024-01-02' - INTERVAL '3 hours'", "7 8 9"),
            ("timestamp >= DATE '2024-01-01' + INTERVAL '24 hours'", "8 9"),
            ("timestamp = timestamp::date + INTERVAL '9 hours'", "3"),
            ("timestamp < DATE '2023-12-01' + INTERVAL '1 month' + INTERVAL '90 minutes'", "0"),
        ],
    )
    .await;
    expect(
        &fixture,
        &[
            ("SELECT DATE '2025-06-01' + INTERVAL '3 hours'", "2025-06-01T03:00:00"),
            ("SELECT DATE '2024-01-31' + INTERVAL '1 month'", "2024-02-29T00:00:00"),
            ("SELECT (DATE '2024-01-31' - INTERVAL '1 hour')::date", "2024-01-30"),
            ("SELECT DATE '9999-12-31' + INTERVAL '36 hours'", "+10000-01-01T12:00:00"),
            ("SELECT DATE '2024-01-31' - DATE '2024-01-01', DATE '2024-01-31' + 1", "30 2024-02-01"),
            ("SELECT d + INTERVAL '1 hour' FROM (SELECT timestamp::date AS d FROM events) GROUP BY 1 ORDER BY 1", "2024-01-01T01:00:00; 2024-01-02T01:00:00"),
            ("SELECT unnest(generate_series(DATE '2024-01-03' - INTERVAL '1 day', DATE '2024-01-03', INTERVAL '1 day'))", "2024-01-02T00:00:00; 2024-01-03T00:00:00"),
            ("SELECT unnest(generate_series(DATE '2024-01-02', DATE '2024-01-03', INTERVAL '1 day'))", "2024-01-02; 2024-01-03"),
            ("SELECT unnest(generate_series(DATE '2024-01-02', DATE '2024-01-02' + INTERVAL '1 day', INTERVAL '1 day'))", "2024-01-02T00:00:00; 2024-01-03T00:00:00"),
            ("SELECT DATE '2024-01-02' = DATE '2024-01-01' + INTERVAL '1 day'", "true"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_time_zone_gives_its_wall_clock() {
    let fixture = ten_events().await;
    expect(
        &fixture,
        &[
            ("SELECT (timestamp AT TIME ZONE 'Europe/Berlin')::timestamp FROM events ORDER BY 1 LIMIT 1", "2024-01-01T01:00:00"),
            ("SELECT timestamp AT TIME ZONE 'Europe/Berlin' FROM events ORDER BY 1 LIMIT 1", "2024-01-01T01:00:00"),
            ("SELECT (timestamp AT TIME ZONE 'Pacific/Auckland')::date, count(*) FROM events GROUP BY 1 ORDER BY 1", "2024-01-01 4; 2024-01-02 6"),
            ("SELECT date_bin(INTERVAL '1 day', timestamp AT TIME ZONE 'Asia/Kolkata'), count(*) FROM events GROUP BY 1 ORDER BY 1", "2024-01-01T00:00:00 7; 2024-01-02T00:00:00 3"),
            ("SELECT count(*) FROM events WHERE date_trunc('day', timestamp AT TIME ZONE 'America/New_York') = DATE '2024-01-01'", "8"),
            ("SELECT extract(hour FROM timestamp AT TIME ZONE 'Asia/Kolkata') FROM events ORDER BY timestamp LIMIT 2", "5; 8"),
            ("SELECT to_char(timestamp AT TIME ZONE '+02:00', '%H:%M') FROM events ORDER BY timestamp LIMIT 1", "02:00"),
            ("SELECT TIMESTAMP '2024-07-01 12:00:00' AT TIME ZONE 'Europe/Berlin'", "2024-07-01T10:00:00Z"),
            ("SELECT TIMESTAMP '2024-07-01 12:00:00' AT TIME ZONE 'Europe/Berlin' AT TIME ZONE 'America/New_York'", "2024-07-01T06:00:00"),
            ("SELECT '2024-07-01T12:00:00Z' AT TIME ZONE 'Europe/Berlin'", "2024-07-01T14:00:00"),
            ("SELECT timezone('Europe/Berlin', timestamp) AT TIME ZONE 'utc' FROM events ORDER BY 1 LIMIT 1", "2024-01-01T01:00:00Z"),
            ("SELECT count(*) FROM events WHERE timestamp AT TIME ZONE 'UTC' < '2024-01-01 06:00:00'", "2"),
            ("SELECT (timestamp AT TIME ZONE z)::text FROM events, (VALUES ('UTC'), ('Asia/Tokyo'), (NULL)) AS t(z) WHERE device_id = 'd0' ORDER BY 1", "2024-01-01T00:00:00; 2024-01-01T09:00:00; "),
        ],
    )
    .await;
    let unknown = fixture.refusal("SELECT timestamp AT TIME ZONE 'Europa/Berlin' FROM events").await;
    assert!(format!("{unknown:?}").contains("time zone 'Europa/Berlin' is not known"), "{unknown:?}");
}

#[tokio::test]
async fn clocks_that_are_put_forward_and_back_follow_postgresql() {
    let at = |text: &str| format!("SELECT TIMESTAMP '{text}' AT TIME ZONE 'Europe/Berlin'");
    let shown = |text: &str| format!("SELECT TIMESTAMPTZ '{text}' AT TIME ZONE 'Europe/Berlin'");
    expect(
        &ten_events().await,
        &[
            // 02:30 is not shown on this day, and shown twice on that.
            (&at("2024-03-31 02:30:00"), "2024-03-31T01:30:00Z"),
            (&at("2024-10-27 02:30:00"), "2024-10-27T01:30:00Z"),
            (&shown("2024-03-31 00:59:59.999999Z"), "2024-03-31T01:59:59.999999"),
            (&shown("2024-03-31 01:00:00Z"), "2024-03-31T03:00:00"),
            (&shown("2024-10-27 00:59:59Z"), "2024-10-27T02:59:59"),
            (&shown("2024-10-27 01:00:00Z"), "2024-10-27T02:00:00"),
            (&shown("1890-01-01 00:00:00Z"), "1890-01-01T00:53:28"),
        ],
    )
    .await;
}

#[tokio::test]
async fn far_moments_compare() {
    let fixture = ten_events().await;
    for (condition, expected) in [
        ("timestamp < '9999-12-31'", "10"),
        ("timestamp < DATE '9999-12-31'", "10"),
        ("timestamp < TIMESTAMP '9999-12-31 23:59:59'", "10"),
        ("timestamp <= '9999-12-31'::timestamptz", "10"),
        ("timestamp > '0001-01-01'", "10"),
        ("'9999-12-31T00:00:00Z' > timestamp", "10"),
        ("timestamp BETWEEN '2024-01-01' AND '9999-12-31'", "10"),
        ("timestamp BETWEEN '2024-01-01 03:00:00.0000001' AND '9999-12-31'", "8"),
        ("timestamp NOT BETWEEN '0001-01-01' AND '9999-12-31'", "0"),
        ("timestamp IN ('9999-12-31', '2024-01-01 03:00:00')", "1"),
        ("timestamp <> '9999-12-31'", "10"),
        ("timestamp IS DISTINCT FROM '1600-01-01'", "10"),
        ("date_bin(INTERVAL '1 hour', timestamp) < '9999-12-31'", "10"),
        ("now() < '9999-12-31'", "10"),
        ("timestamp < DATE '9999-12-31' + INTERVAL '1 day'", "10"),
        ("device_id < '9999-12-31'", "0"),
        ("timestamp::date < '9999-12-31'", "10"),
        ("timestamp < 'infinity'", "10"),
        ("timestamp < 'Infinity'::timestamp", "10"),
        ("timestamp > TIMESTAMPTZ '-infinity'", "10"),
        ("timestamp BETWEEN '-infinity' AND 'infinity'", "10"),
        ("timestamp NOT IN ('infinity', '2024-01-01')", "9"),
        ("timestamp < DATE 'infinity' AND timestamp::date < 'infinity'", "10"),
        ("timestamp > 'epoch' AND timestamp > 'epoch'::timestamp", "10"),
        ("timestamp < CASE WHEN value > 0 THEN 'infinity'::timestamptz ELSE timestamp END", "7"),
        ("value < 'infinity' AND device_id < 'infinity'", "10"),
        ("timestamp < '2024-01-01 12'", "4"),
    ] {
        expect(&fixture, &[(&format!("SELECT count(*) FROM events WHERE {condition}"), expected)]).await;
    }
    expect(&fixture, &[("SELECT TIMESTAMP '9999-12-31'", "9999-12-31T00:00:00")]).await;
    let bound = "SELECT count(*) FROM events WHERE timestamp < $1";
    for (text, expected) in
        [("9999-12-31", "10"), ("infinity", "10"), ("-infinity", "0"), ("2024-01-01 12", "4")]
    {
        let value = hexflight_planner::ScalarValue::from(text);
        assert_eq!(crate::values_table::rows_of(&fixture, bound, vec![value]).await, expected, "{text}");
    }
}
