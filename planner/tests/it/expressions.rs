//! Expressions that people write as they know them from PostgreSQL and its neighbours: moments, patterns, functions.

use arrow::datatypes::{DataType, TimeUnit};
use hexflight_planner::ScalarValue;

use crate::support::{Event, Fixture, START, check, event, first_value};

/// Statements, each with the first column of its only row.
const AS_IN_POSTGRESQL: [(&str, &str); 41] = [
    ("SELECT to_timestamp(metadata->>'installed') FROM events LIMIT 1", "2023-05-01T12:30:00Z"),
    ("SELECT max(to_timestamp_micros(metadata->>'installed')) FROM events", "2023-05-01T12:30:00Z"),
    ("SELECT max(to_timestamp_millis(metadata->>'installed')) FROM events", "2023-05-01T12:30:00Z"),
    ("SELECT max(to_timestamp_seconds(metadata->>'installed')) FROM events", "2023-05-01T12:30:00Z"),
    ("SELECT max(to_timestamp_nanos(metadata->>'installed')) FROM events", "2023-05-01T12:30:00Z"),
    ("SELECT max(to_timestamp(metadata->>'day', '%d.%m.%Y %H:%M')) FROM events", "2023-05-01T12:30:00Z"),
    ("SELECT max(to_timestamp(metadata->>'day', 'DD.MM.YYYY HH24:MI')) FROM events", "2023-05-01T12:30:00Z"),
    ("SELECT count(*) FROM events WHERE to_timestamp(metadata->>'installed') < now()", "1"),
    (
        "SELECT count(*) FROM events WHERE to_timestamp(metadata->>'installed') > now() - INTERVAL '1 day'",
        "0",
    ),
    ("SELECT count(*) FROM events WHERE timestamp > to_timestamp(metadata->>'installed')", "1"),
    ("SELECT to_timestamp(1704067200)", "2024-01-01T00:00:00Z"),
    (
        "SELECT count(*) FROM events WHERE timestamp >= '2024-01-01 00:00' AND timestamp < '2024-01-01T00:01Z'",
        "1",
    ),
    ("SELECT count(*) FROM events WHERE timestamp BETWEEN '2023-12-31 23:59' AND '2024-01-01 00:00'", "1"),
    ("SELECT count(*) FROM events WHERE timestamp IN ('2024-01-01 00:00', '2025-01-01 00:00')", "1"),
    ("SELECT count(*) FROM events WHERE timestamp >= '2024-01-01T00'", "1"),
    ("SELECT TIMESTAMP '2024-07-01 18:00'", "2024-07-01T18:00:00"),
    ("SELECT '2024-07-01 18:00'::timestamp", "2024-07-01T18:00:00"),
    ("SELECT (metadata->>'short')::timestamp FROM events", "2023-05-01T12:30:00"),
    ("SELECT to_char(timestamp, 'YYYY-MM-DD HH24:MI:SS') FROM events", "2024-01-01 00:00:00"),
    ("SELECT to_char(timestamp, '%Y-%m') FROM events", "2024-01"),
    ("SELECT to_char(timestamp, 'DD Mon YYYY \"at\" HH12 AM') FROM events", "01 Jan 2024 at 12 AM"),
    ("SELECT count(*) FROM events WHERE device_id LIKE 'a!_%' ESCAPE '!'", "1"),
    (
        r"SELECT 'a\b' LIKE 'a\b' ESCAPE '' AND 'a\b' LIKE 'a\_' ESCAPE '' AND NOT 'a%' LIKE 'a\%' ESCAPE ''",
        "true",
    ),
    (r"SELECT 'a\b' ILIKE 'A\B' ESCAPE '' AND 'a\b' SIMILAR TO 'a\b' ESCAPE ''", "true"),
    (r"SELECT 'a\b' NOT LIKE concat('a', '\', 'b') ESCAPE ''", "false"),
    (
        "SELECT to_char(timestamp, 'YYYY-Q WW W D J OF TZ tz TZH:TZM') FROM events",
        "2024-1 01 1 2 2460311 +00 UTC utc +00:00",
    ),
    (
        "SELECT to_char(TIMESTAMP '2024-05-09 07:08:09.123456', 'Q WW W D J IDDD CC Y,YYY YYY Y IYY I SSSS FF3 RM| OF TZ BC A.M.')",
        "2 19 2 5 2460440 130 21 2,024 024 4 024 4 25689 123 V   | +00  AD A.M.",
    ),
    (
        "SELECT to_char(TIMESTAMP '2024-05-09', 'MONTH|Month|month|MON|Day|DY|FMMONTH|FMDAY|TMMonth')",
        "MAY      |May      |may      |MAY|Thursday |THU|MAY|THURSDAY|May",
    ),
    (
        "SELECT to_char(DATE '2024-05-01', 'FMDDth FMMonth YYYY, DDTH, FMDDDth, FMIW, YYYY-MM-DDTHH24:MI')",
        "1st May 2024, 01ST, 122nd, 18, 2024-05-01T00:00",
    ),
    (
        "SELECT to_char(DATE '2024-05-13', 'DDth') || to_char(DATE '2024-05-22', 'DDth') || to_char(DATE '2024-05-23', 'DDth')",
        "13th22nd23rd",
    ),
    ("SELECT count(*) FROM events WHERE device_id LIKE 'a!%%' ESCAPE '!'", "0"),
    ("SELECT count(*) FROM events WHERE device_id ILIKE 'A#_1' ESCAPE '#'", "1"),
    ("SELECT count(*) FROM events WHERE device_id NOT LIKE 'a!_%' ESCAPE '!'", "0"),
    ("SELECT count(*) FROM events WHERE device_id SIMILAR TO '(a|b)\\_%'", "1"),
    ("SELECT 'xabc' SIMILAR TO 'a%'", "false"),
    ("SELECT 'abc' NOT SIMILAR TO 'a_'", "true"),
    ("SELECT md5('x')", "9dd4e461268c8034f5c8564e155c67a6"),
    ("SELECT sha256('x')", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"),
    (
        "SELECT sum(CASE WHEN (latitude > 1) IS TRUE THEN 1 ELSE 0 END) + count(CASE WHEN (latitude > 1) IS TRUE THEN 1 END) FROM events",
        "0",
    ),
    (
        "SELECT count(*) FROM ((SELECT timestamp AS c0, (latitude > value) IS TRUE AS c1 FROM events) UNION (SELECT timestamp, true FROM events))",
        "2",
    ),
    (
        "SELECT count(*) FROM (SELECT a.timestamp, b.latitude <> (b.metadata->>'n')::double precision FROM events a FULL JOIN events b ON a.type = b.type WHERE EXISTS (SELECT 1 FROM events c WHERE 10.0 <> (b.metadata->>'n')::double precision))",
        "0",
    ),
];

#[tokio::test]
async fn statements_give_what_postgresql_gives() {
    let fixture = installations().await;
    check(&fixture, &AS_IN_POSTGRESQL).await;
    let sums = "SELECT sum(CASE WHEN (latitude > 1) IS TRUE THEN 1 ELSE 0 END), count(CASE WHEN (latitude > 1) IS TRUE THEN 1 END),
                       max(coalesce(latitude, 0)), min(coalesce(latitude, 0)), count(latitude IS NOT NULL), max(latitude IS NOT NULL) FROM events";
    assert_eq!(first_value(&fixture.rows(sums).await), "0");
}

#[tokio::test]
async fn columns_can_be_left_out_and_replaced() {
    let fixture = installations().await;
    for (sql, expected) in [
        ("SELECT * EXCEPT (metadata, h3) FROM events", "timestamp,device_id,type,value,latitude,longitude"),
        ("SELECT * EXCLUDE (metadata, h3) FROM events", "timestamp,device_id,type,value,latitude,longitude"),
        ("SELECT * EXCLUDE metadata FROM events", "timestamp,device_id,type,value,latitude,longitude,h3"),
        (
            "SELECT e.* EXCEPT (metadata, h3, latitude, longitude) FROM events e",
            "timestamp,device_id,type,value",
        ),
        ("SELECT * REPLACE (value * 2 AS value) FROM (SELECT type, value FROM events)", "type,value"),
    ] {
        let rows = fixture.rows(sql).await;
        let schema = rows[0].schema();
        let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names.join(","), expected, "{sql}");
    }
    assert_eq!(fixture.value("SELECT 1 AS a EXCEPT SELECT 2 AS a").await, "1");
}

#[tokio::test]
async fn a_result_has_one_unit_of_time() {
    let fixture = installations().await;
    for sql in [
        "SELECT timestamp FROM events",
        "SELECT now()",
        "SELECT date_bin(INTERVAL '1 hour', timestamp) AS t FROM events GROUP BY t",
        "SELECT date_trunc('hour', timestamp) FROM events ORDER BY 1",
        "SELECT timestamp::timestamp FROM events",
        "SELECT '2024-01-01'::timestamptz",
        "SELECT to_timestamp_seconds(1)",
        "SELECT to_timestamp_nanos(1)",
        "SELECT max(date_bin(INTERVAL '1 hour', timestamp)) FROM events",
        "SELECT * FROM generate_series(TIMESTAMP '2024-01-01', TIMESTAMP '2024-01-02', INTERVAL '1 day')",
        "SELECT now() AS a UNION ALL SELECT timestamp FROM events",
    ] {
        let announced = fixture.queries.schema(sql).await.unwrap().result;
        let rows = fixture.rows(sql).await;
        for field in [announced.field(0), rows[0].schema().field(0)] {
            let is_micros = matches!(field.data_type(), DataType::Timestamp(TimeUnit::Microsecond, _));
            assert!(is_micros, "{sql}: {}", field.data_type());
        }
    }
    let rows = fixture
        .rows("SELECT array_agg(now()), timestamp - now(), timestamp::time FROM events GROUP BY timestamp")
        .await;
    let types: Vec<_> = rows[0].columns().iter().map(|column| column.data_type().to_string()).collect();
    assert!(types.iter().all(|name| name.contains("µs")), "{types:?}");
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_words() {
    let fixture = installations().await;
    for (sql, part) in [
        ("SELECT date_bin(INTERVAL '-1 hour', timestamp) FROM events", "must be longer than nothing"),
        ("SELECT date_bin(INTERVAL '0 hours', timestamp) FROM events", "must be longer than nothing"),
        ("SELECT time_bucket('1 hour', timestamp) FROM events", "write date_bin("),
        ("SELECT quantile(0.9, value) FROM events", "percentile_cont"),
        ("SELECT first(value) FROM events", "first_value(x ORDER BY timestamp)"),
        ("SELECT toStartOfHour(timestamp) FROM events", "date_trunc('hour', timestamp)"),
        ("SELECT st_distance(latitude, longitude) FROM events", "geo_distance_m"),
        ("SELECT cuont(*) FROM events", "did you mean 'count'?"),
        ("SELECT to_char(timestamp, 'YYYY foo') FROM events", "foo is not known"),
        ("SELECT to_timestamp('2024 1', 'YYYY Q')", "Q is not known"),
        (
            "SELECT to_char(arrow_cast(timestamp, 'Timestamp(Microsecond, Some(\"Asia/Kolkata\"))'), 'TZ') FROM events",
            "not for Asia/Kolkata; write OF",
        ),
    ] {
        let error = fixture.refusal(sql).await;
        assert!(error.message.contains(part), "{sql}: {error}");
    }
}

#[tokio::test]
async fn patterns_may_be_bound() {
    let fixture = installations().await;
    let sql = "SELECT count(*) FROM events WHERE device_id LIKE ? ESCAPE '!'";
    for (pattern, expected) in [("a!_%", "1"), ("a!%", "0")] {
        let rows = fixture.rows_with(sql, vec![ScalarValue::from(pattern)]).await;
        assert_eq!(first_value(&rows), expected);
    }
}

async fn installations() -> Fixture {
    let fixture = Fixture::new().await;
    let metadata =
        r#"{"installed": "2023-05-01T12:30:00Z", "day": "01.05.2023 12:30", "short": "2023-05-01 12:30"}"#;
    fixture.append(&[Event { metadata: Some(metadata.to_owned()), ..event(START, "a_1", "t", 1.0) }]).await;
    fixture
}

#[tokio::test]
async fn series_take_parameters_and_microseconds() {
    let fixture = installations().await;
    let moment = |hours: i64| {
        ScalarValue::TimestampMicrosecond(Some(START + hours * 3_600_000_000), Some("UTC".into()))
    };
    let by_time = "SELECT count(*) FROM generate_series(?, ?, INTERVAL '1 hour') WHERE value >= ?";
    for (from, to) in [
        (moment(0), moment(3)),
        (ScalarValue::from("2024-01-01T00:00:00Z"), ScalarValue::from("2024-01-01 03:00")),
        (ScalarValue::TimestampNanosecond(Some(START * 1_000), None), moment(3)),
    ] {
        assert_eq!(first_value(&fixture.rows_with(by_time, vec![from, to, moment(1)]).await), "3");
    }
    let parameters = fixture.queries.schema(by_time).await.unwrap().parameters;
    let types: Vec<_> = parameters.fields().iter().map(|field| field.data_type().clone()).collect();
    assert_eq!(types.len(), 3);
    assert_eq!(types[0], DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
    let by_number = "SELECT sum(value) FROM generate_series($1, $2)";
    let numbers = vec![ScalarValue::from(1_i64), ScalarValue::from(4_i64)];
    assert_eq!(first_value(&fixture.rows_with(by_number, numbers).await), "10");
    let error = fixture.try_rows(by_number, vec![ScalarValue::from(1_i64)]).await.unwrap_err();
    assert!(error.message.contains("2 parameters, 1 values"), "{error}");
    for sql in [
        "SELECT count(*) FROM generate_series(arrow_cast('2024-01-01', 'Timestamp(Microsecond, None)'), arrow_cast('2024-01-02', 'Timestamp(Microsecond, None)'), INTERVAL '6 hours')",
        "SELECT count(*) FROM generate_series(TIMESTAMP '2024-01-01', TIMESTAMP '2024-01-02', INTERVAL '6 hours')",
        "SELECT count(*) FROM generate_series('2024-01-01', '2024-01-02 00:00', INTERVAL '6 hours')",
        "SELECT count(*) FROM generate_series(DATE '2024-01-01', DATE '2024-01-02', INTERVAL '6 hours')",
    ] {
        assert_eq!(fixture.value(sql).await, "5", "{sql}");
    }
}

#[tokio::test]
async fn rows_are_looked_for_in_subqueries() {
    let fixture = Fixture::new().await;
    let rows =
        [event(START, "a", "t", 1.0), event(START + 1, "a", "t", 2.0), event(START + 1, "b", "t", 3.0)];
    fixture.append_to_files(&rows[..1]).await;
    fixture.append(&rows[1..]).await;
    for (sql, expected) in [
        (
            "SELECT sum(value) FROM events WHERE (device_id, timestamp) IN (SELECT device_id, max(timestamp) FROM events GROUP BY device_id)",
            "5.0",
        ),
        (
            "SELECT sum(value) FROM events WHERE (device_id, timestamp) NOT IN (SELECT device_id, max(timestamp) FROM events GROUP BY device_id)",
            "1.0",
        ),
        (
            "SELECT sum(e.value) FROM events e WHERE (e.device_id, e.value) IN (SELECT device_id, value FROM events WHERE value > 2)",
            "3.0",
        ),
        (
            "SELECT count(*) FROM events WHERE (device_id, latitude) NOT IN (SELECT device_id, latitude FROM events)",
            "0",
        ),
    ] {
        assert_eq!(fixture.value(sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn joins_that_are_not_supported_are_spoken_of_plainly() {
    let fixture = installations().await;
    for sql in [
        "SELECT a.value, (SELECT b.value FROM events b WHERE b.device_id = a.device_id AND b.timestamp <= a.timestamp ORDER BY b.timestamp DESC LIMIT 1) FROM events a",
        "SELECT a.value FROM events a LEFT JOIN LATERAL (SELECT b.value FROM events b WHERE b.timestamp <= a.timestamp ORDER BY b.timestamp DESC LIMIT 1) b ON true",
        "SELECT a.value FROM events a ASOF JOIN events b ON a.device_id = b.device_id AND a.timestamp >= b.timestamp",
        "SELECT a.value FROM events a ASOF LEFT JOIN events b ON a.timestamp >= b.timestamp",
    ] {
        match fixture.try_rows(sql, vec![]).await {
            Ok(rows) => {
                assert_eq!(rows.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 1, "{sql}")
            }
            Err(error) => {
                assert!(
                    error.message.contains("row_number()") && !error.message.contains("Outer"),
                    "{sql}: {error}"
                );
            }
        }
    }
}
