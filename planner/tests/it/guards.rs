//! One type's metadata does not break another's query: what can fail for a row is computed only for rows that all other
//! conditions let through, in memory as in files.

use crate::support::{Event, Fixture, START, check, event};

/// Statements about pumps, whose levels are numbers, beside valves, whose levels are words.
const ABOUT_PUMPS: [(&str, &str); 57] = [
    (
        "SELECT string_agg(device_id, ',' ORDER BY (metadata->>'level')::int DESC) FILTER (WHERE type = 'pump') FROM events",
        "p3,p2,p1",
    ),
    ("SELECT count(*) FROM events WHERE type = 'pump' AND (metadata->>'level')::int > 2", "2"),
    ("SELECT count(*) FROM events WHERE (metadata->>'level')::int > 2 AND type = 'pump'", "2"),
    (
        "SELECT count(*) FROM events WHERE metadata->>'level' ~ '^[0-9]+$' AND (metadata->>'level')::int > 2",
        "2",
    ),
    (
        "SELECT count(*) FROM events WHERE (metadata->>'level')::int > 2 AND (metadata->>'level')::int < 4 AND type = 'pump'",
        "1",
    ),
    ("SELECT count(*) FROM events WHERE type <> 'pump' OR (metadata->>'level')::int > 2", "5"),
    ("SELECT count(*) FROM events WHERE NOT (type <> 'pump' OR (metadata->>'level')::int <= 2)", "2"),
    ("SELECT count(*) FROM events WHERE latitude > 0 AND (metadata->>'level')::int > 2", "1"),
    (
        "SELECT count(*) FROM events WHERE CASE WHEN type = 'pump' THEN (metadata->>'level')::int > 2 ELSE false END",
        "2",
    ),
    ("SELECT sum(CASE WHEN type = 'pump' THEN (metadata->>'level')::int ELSE 0 END) FROM events", "9"),
    (
        "SELECT sum(CASE WHEN type = 'pump' AND (metadata->>'level')::int > 2 THEN 1 ELSE 0 END) FROM events",
        "2",
    ),
    ("SELECT sum((metadata->>'level')::int) FROM events WHERE type = 'pump'", "9"),
    ("SELECT sum((metadata->>'level')::int) FILTER (WHERE type = 'pump') FROM events", "9"),
    ("SELECT count(*) FILTER (WHERE type = 'pump' AND (metadata->>'level')::int > 2) FROM events", "2"),
    (
        "SELECT max((metadata->>'level')::int) FILTER (WHERE type = 'pump' AND (metadata->>'level')::int < 4) FROM events",
        "3",
    ),
    ("SELECT (metadata->>'level')::int FROM events WHERE type = 'pump' ORDER BY 1 DESC LIMIT 1", "4"),
    (
        "SELECT device_id FROM events WHERE type = 'pump' ORDER BY (metadata->>'level')::int DESC LIMIT 1",
        "p3",
    ),
    (
        "SELECT count(*) FROM (SELECT (metadata->>'level')::int AS l FROM events WHERE type = 'pump') WHERE l > 2",
        "2",
    ),
    (
        "SELECT count(*) FROM (SELECT type, (metadata->>'level')::int AS l FROM events) WHERE type = 'pump' AND l > 2",
        "2",
    ),
    (
        "SELECT count(*) FROM (SELECT * FROM events LIMIT 100) WHERE (metadata->>'level')::int > 2 AND type = 'pump'",
        "2",
    ),
    (
        "SELECT count(*) FROM events a JOIN events b ON a.device_id = b.device_id AND a.type = 'pump' AND (a.metadata->>'level')::int > b.value",
        "2",
    ),
    (
        "SELECT count(b.value) FROM events a LEFT JOIN events b ON a.device_id = b.device_id AND a.type = 'pump' AND (a.metadata->>'level')::int > b.value",
        "2",
    ),
    (
        "SELECT count(b.value) FROM events a LEFT JOIN events b ON a.type = 'pump' AND b.type = 'pump' AND (a.metadata->>'level')::int > (b.metadata->>'level')::int",
        "3",
    ),
    (
        "SELECT count(*) FROM (SELECT type, min(metadata->>'level') AS l FROM events GROUP BY type HAVING min(metadata->>'level')::int > 1 AND type = 'pump')",
        "1",
    ),
    ("SELECT count(*) FROM events WHERE type = 'pump' AND 10 / (value::int - 1) > 5", "2"),
    (
        "SELECT count(*) FROM events WHERE device_id IN (SELECT device_id FROM events WHERE type = 'pump') AND (metadata->>'level')::int > 2",
        "2",
    ),
    (
        "SELECT count(*) FROM events WHERE device_id NOT IN (SELECT device_id FROM events WHERE type = 'valve') AND (metadata->>'level')::int > 2",
        "2",
    ),
    (
        "SELECT count(*) FROM events e WHERE EXISTS (SELECT 1 FROM events p WHERE p.device_id = e.device_id AND p.type = 'pump') AND (metadata->>'level')::int BETWEEN 3 AND 9",
        "2",
    ),
    (
        "SELECT count(*) FROM events e JOIN (SELECT device_id FROM events WHERE type = 'pump') p ON e.device_id = p.device_id WHERE (e.metadata->>'level')::int > 2",
        "2",
    ),
    (
        "SELECT count(*) FROM events e JOIN (SELECT device_id FROM events WHERE type = 'pump') p ON e.device_id = p.device_id AND (e.metadata->>'level')::int > 2",
        "2",
    ),
    (
        "SELECT count(*) FROM events e, events p WHERE e.device_id = p.device_id AND p.type = 'pump' AND 10 / (e.metadata->>'level')::int > 4",
        "1",
    ),
    (
        "SELECT count(*) FROM (SELECT e.metadata->>'level' AS l FROM events e JOIN events p ON e.device_id = p.device_id AND p.type = 'pump') WHERE l::int > 2",
        "2",
    ),
    (
        "SELECT count(*) FROM events e JOIN events p ON (e.metadata->>'level')::int = p.value::int AND e.type = 'pump' AND p.type = 'pump'",
        "3",
    ),
    (
        "SELECT count(b.value) FROM events a LEFT JOIN events b ON a.device_id = b.device_id AND b.type = 'pump' AND (b.metadata->>'level')::int > 2",
        "2",
    ),
    (
        "SELECT count(b.value) FROM events a LEFT JOIN events b ON a.device_id = b.device_id AND a.type = 'pump' AND (b.metadata->>'level')::int > 2",
        "2",
    ),
    (
        "SELECT count(*) FROM (SELECT * FROM events WHERE type = 'pump') a LEFT JOIN events b ON a.device_id = b.device_id AND (b.metadata->>'level')::int > 2",
        "3",
    ),
    (
        "SELECT count(b.value) FROM events b RIGHT JOIN events a ON a.device_id = b.device_id AND a.type = 'pump' AND (b.metadata->>'level')::int > 2",
        "2",
    ),
    (
        "SELECT count(*) FROM events a LEFT JOIN events b ON a.device_id = b.device_id AND (b.metadata->>'level')::int > 2 WHERE a.type = 'pump'",
        "3",
    ),
    (
        "SELECT count(*) FROM events a LEFT JOIN events b ON a.device_id = b.device_id AND a.type = 'pump' AND (b.metadata->>'level')::int > 2 WHERE b.value > 0",
        "2",
    ),
    (
        "SELECT max(s) FROM (SELECT sum(CASE WHEN type = 'pump' AND (metadata->>'level')::int > 2 THEN 1 END) OVER () AS s FROM events)",
        "2",
    ),
    (
        "SELECT max(s) FROM (SELECT sum(CASE WHEN type = 'pump' AND (metadata->>'level')::int > 2 THEN 1 END) OVER (ORDER BY timestamp) AS s FROM events)",
        "2",
    ),
    (
        "SELECT max(s) FROM (SELECT sum((metadata->>'level')::int) FILTER (WHERE type = 'pump') OVER () AS s FROM events)",
        "9",
    ),
    (
        "SELECT max(s) FROM (SELECT sum((metadata->>'level')::int) FILTER (WHERE type = 'pump' AND (metadata->>'level')::int > 2) OVER (PARTITION BY type) AS s FROM events)",
        "7",
    ),
    (
        "SELECT max(s) FROM (SELECT count(*) FILTER (WHERE type = 'pump' AND (metadata->>'level')::int > 2) OVER (ORDER BY timestamp ROWS BETWEEN 5 PRECEDING AND CURRENT ROW) AS s FROM events)",
        "2",
    ),
    (
        "SELECT max(s) FROM (SELECT count(*) FILTER (WHERE latitude > 0 AND (metadata->>'level')::int > 2) OVER () AS s FROM events)",
        "1",
    ),
    (
        "SELECT count(s) FROM (SELECT lag(CASE WHEN type = 'pump' AND (metadata->>'level')::int > 2 THEN 1 END) OVER (ORDER BY timestamp, device_id DESC) AS s FROM events)",
        "2",
    ),
    (
        "SELECT count(s) FROM (SELECT first_value(type = 'pump' AND (metadata->>'level')::int > 2) OVER (ORDER BY timestamp) AS s FROM events)",
        "6",
    ),
    (
        "SELECT max(s) FROM (SELECT row_number() OVER (PARTITION BY (type = 'pump' AND (metadata->>'level')::int > 2)) AS s FROM events)",
        "4",
    ),
    (
        "SELECT device_id FROM events QUALIFY row_number() OVER (ORDER BY (type = 'pump' AND (metadata->>'level')::int > 3) DESC) = 1",
        "p3",
    ),
    (
        "SELECT device_id FROM events ORDER BY (type = 'pump' AND (metadata->>'level')::int > 3) DESC LIMIT 1",
        "p3",
    ),
    (
        "SELECT string_agg(device_id, ',') FROM (SELECT device_id FROM events ORDER BY (type = 'pump' AND (metadata->>'level')::int > 3) DESC, device_id LIMIT 1)",
        "p3",
    ),
    (
        "SELECT string_agg(device_id, ',' ORDER BY (type = 'pump' AND (metadata->>'level')::int > 3) DESC, device_id) FROM events",
        "p3,p1,p2,v1,v2,v3",
    ),
    (
        "SELECT max(c) FROM (SELECT count(*) AS c FROM events GROUP BY (type = 'pump' AND (metadata->>'level')::int > 2))",
        "4",
    ),
    (
        "SELECT count(*) FROM (SELECT count(*) FROM events GROUP BY ROLLUP(type = 'pump' AND (metadata->>'level')::int > 2))",
        "3",
    ),
    (
        "SELECT count(*) FROM (SELECT DISTINCT ON (type = 'pump' AND (metadata->>'level')::int > 2) * FROM events)",
        "2",
    ),
    ("SELECT sum(CASE WHEN latitude > 0 AND (metadata->>'level')::int > 2 THEN 1 END) FROM events", "1"),
    ("SELECT count(*) FROM events WHERE (latitude > 0 AND (metadata->>'level')::int > 2) IS NOT TRUE", "5"),
];

#[tokio::test]
async fn other_rows_do_not_break_a_query_in_memory() {
    let fixture = Fixture::new().await;
    fixture.append(&pumps_and_valves()).await;
    check(&fixture, &ABOUT_PUMPS).await;
}

#[tokio::test]
async fn other_rows_do_not_break_a_query_in_files() {
    let fixture = Fixture::new().await;
    fixture.append_to_files(&pumps_and_valves()).await;
    check(&fixture, &ABOUT_PUMPS).await;
}

#[tokio::test]
async fn other_rows_do_not_break_a_query_over_both() {
    let fixture = Fixture::new().await;
    let events = pumps_and_valves();
    fixture.append_to_files(&events[..4]).await;
    fixture.append(&events[4..]).await;
    check(&fixture, &ABOUT_PUMPS).await;
}

#[tokio::test]
async fn a_row_that_is_let_through_still_fails() {
    for in_files in [false, true] {
        let fixture = Fixture::new().await;
        if in_files {
            fixture.append_to_files(&pumps_and_valves()).await;
        } else {
            fixture.append(&pumps_and_valves()).await;
        }
        for condition in [
            "(metadata->>'level')::int > 2",
            "type = 'valve' AND (metadata->>'level')::int > 2",
            "type = 'pump' OR (metadata->>'level')::int > 2",
            "CASE WHEN type = 'valve' THEN (metadata->>'level')::int > 2 ELSE false END",
        ] {
            let error = fixture.refusal(&format!("SELECT count(*) FROM events WHERE {condition}")).await;
            assert!(error.message.contains("Cannot cast string 'high'"), "{condition}: {error}");
        }
    }
}

#[tokio::test]
async fn rows_between_others_do_not_break_a_query() {
    for in_files in [false, true] {
        let fixture = Fixture::new().await;
        let events: Vec<_> = (0_i32..1_000)
            .map(|number| Event {
                metadata: Some(
                    if number % 3 == 0 { r#"{"level":7}"# } else { r#"{"level":"high"}"# }.to_owned(),
                ),
                ..event(START + i64::from(number), "a", "t", f64::from(number % 3))
            })
            .collect();
        fixture.append(&events).await;
        if in_files {
            fixture.engine.flush().await.unwrap();
        }
        for sql in [
            "SELECT count(*) FROM events WHERE (metadata->>'level')::int > 6 AND value = 0",
            "SELECT count((metadata->>'level')::int) FILTER (WHERE value = 0) FROM events",
            "SELECT count(*) FROM events WHERE (value > 0 OR (metadata->>'level')::int > 6) AND value < 1",
        ] {
            assert_eq!(fixture.value(sql).await, "334", "{sql}");
        }
    }
}

/// Three pumps with levels 2, 3, 4, of which one has a position, and three valves.
fn pumps_and_valves() -> Vec<Event> {
    let of = |number: i32, device: &str, kind: &str, level: &str| Event {
        metadata: Some(format!(r#"{{"level":{level}}}"#)),
        place: (device == "p2").then_some((10.0, 10.0)),
        ..event(START + i64::from(number), device, kind, if kind == "pump" { f64::from(number) } else { 1.0 })
    };
    vec![
        of(2, "p1", "pump", "2"),
        of(3, "v1", "valve", "\"high\""),
        of(2, "p2", "pump", "3"),
        of(4, "v2", "valve", "\"low\""),
        of(3, "p3", "pump", "4"),
        of(5, "v3", "valve", "\"high\""),
    ]
}

/// The arguments are moved once before the filter is known to keep all rows, and once after.
#[tokio::test]
async fn what_is_moved_twice_has_two_names() {
    let fixture = Fixture::new().await;
    fixture.append(&pumps_and_valves()).await;
    let number = "TRY_CAST(a.metadata->>'level' AS DOUBLE) + CAST(a.metadata->>'none' AS DOUBLE)";
    let sql = format!(
        "SELECT sum(CASE WHEN {number} BETWEEN a.latitude AND a.longitude THEN a.longitude WHEN {number} > a.latitude \
         THEN a.longitude ELSE a.latitude END) FILTER (WHERE CAST(NULL AS DOUBLE) <= {number} OR true) \
         OVER (ORDER BY a.latitude NULLS FIRST) AS c, a.value FROM events a"
    );
    let rows: usize = fixture.rows(&sql).await.iter().map(|batch| batch.num_rows()).sum();
    assert_eq!(rows, pumps_and_valves().len());
}

/// A window that is not sorted by a constant column has to see that it is constant also when the filter below is guarded.
#[tokio::test]
async fn what_a_guarded_filter_makes_constant_stays_so_for_windows() {
    let fixture = Fixture::new().await;
    let levels = (0_i32..4).map(|number| Event {
        metadata: Some(format!(r#"{{"level":{}}}"#, number % 2)),
        place: Some((1.0, 2.0)),
        ..event(START + i64::from(number), "a", "t", f64::from(number))
    });
    fixture.append(&levels.collect::<Vec<_>>()).await;
    let sql = "SELECT count(*) FROM (SELECT a.latitude NOT IN (SELECT 1.0e0 FROM events b \
               WHERE CAST(a.metadata->>'level' AS DOUBLE) IN (SELECT 1.0e0 FROM events c)) AS c FROM events a) WHERE c";
    assert_eq!(fixture.value(sql).await, "2");
}
