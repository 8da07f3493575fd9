//! The scan against a naive filter over the same events, half of them in files and half in memory.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};

use crate::support::{Event, Fixture, HOUR, Random, START, TYPES, event, random_events};

type Test = Box<dyn Fn(&Event) -> bool>;

#[tokio::test]
async fn filters_give_what_a_naive_filter_gives() {
    let (fixture, events) = mixed(7, 4_000).await;
    let mut random = Random(11);
    for round in 0..60 {
        let (sql, test) = random_filter(&mut random);
        let expected: Vec<&Event> = events.iter().filter(|event| test(event)).collect();
        let rows = fixture.rows(&format!("SELECT device_id, value, timestamp FROM events WHERE {sql}")).await;
        assert_eq!(sorted(found(&rows)), sorted(expected_rows(&expected)), "round {round}: {sql}");
        let count = fixture.value(&format!("SELECT count(*) FROM events WHERE {sql}")).await;
        assert_eq!(count, expected.len().to_string(), "round {round}: {sql}");
    }
}

#[tokio::test]
async fn any_projection_gives_its_columns() {
    let (fixture, events) = mixed(3, 500).await;
    for columns in
        ["value", "metadata, timestamp", "longitude, h3, type, device_id", "*", "latitude, latitude AS again"]
    {
        for filter in ["true", "value > 10", "type = 'humidity' AND latitude IS NOT NULL"] {
            let rows = fixture.rows(&format!("SELECT {columns} FROM events WHERE {filter}")).await;
            let count = rows.iter().map(RecordBatch::num_rows).sum::<usize>();
            let expected = events.iter().filter(|event| match filter {
                "true" => true,
                "value > 10" => event.value > 10.0,
                _ => event.kind == "humidity" && event.place.is_some(),
            });
            assert_eq!(count, expected.count(), "{columns} WHERE {filter}");
        }
    }
}

#[tokio::test]
async fn values_arrive_unchanged_from_files_and_memory() {
    let (fixture, mut events) = mixed(5, 300).await;
    let rows = fixture.rows("SELECT * FROM events ORDER BY timestamp, device_id, value").await;
    events.sort_by(|a, b| {
        (a.timestamp, &a.device).cmp(&(b.timestamp, &b.device)).then(a.value.total_cmp(&b.value))
    });
    assert_eq!(rows.iter().flat_map(events_of).collect::<Vec<_>>(), events);
}

#[tokio::test]
async fn a_limit_gives_that_many_rows_of_those_that_match() {
    let (fixture, events) = mixed(9, 2_000).await;
    let matching = events.iter().filter(|event| event.value > 20.0).count();
    for limit in [0, 1, 7, matching - 1, matching, matching + 10] {
        let sql = format!("SELECT value FROM events WHERE value > 20 LIMIT {limit}");
        let rows = fixture.rows(&sql).await;
        assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), limit.min(matching), "{limit}");
        let small =
            rows.iter().flat_map(|batch| batch.column(0).as_primitive::<Float64Type>().values().to_vec());
        assert!(small.into_iter().all(|value| value > 20.0));
    }
    let skipped = fixture.value("SELECT count(*) FROM (SELECT * FROM events LIMIT 100 OFFSET 1950)").await;
    assert_eq!(skipped, "50");
}

#[tokio::test]
async fn the_top_k_is_exact() {
    let (fixture, mut events) = mixed(13, 3_000).await;
    events.sort_by(|a, b| b.value.total_cmp(&a.value));
    let rows = fixture.rows("SELECT value FROM events ORDER BY value DESC LIMIT 25").await;
    let values: Vec<f64> = rows
        .iter()
        .flat_map(|batch| batch.column(0).as_primitive::<Float64Type>().values().to_vec())
        .collect();
    assert_eq!(values, events[..25].iter().map(|event| event.value).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_join_finds_every_pair() {
    let (fixture, events) = mixed(17, 400).await;
    let sql = "SELECT count(*) FROM events a JOIN events b ON a.device_id = b.device_id WHERE b.value > 45";
    let pairs = events.iter().filter(|b| b.value > 45.0);
    let expected: usize = pairs.map(|b| events.iter().filter(|a| a.device == b.device).count()).sum();
    assert_eq!(fixture.value(sql).await, expected.to_string());
}

#[tokio::test]
async fn a_plan_that_runs_again_reads_its_files_again() {
    let (fixture, _) = mixed(19, 50).await;
    let sql = "WITH RECURSIVE steps AS (
                 SELECT 1 AS n UNION ALL SELECT n + 1 FROM steps, (SELECT count(*) AS c FROM events WHERE value > -1000) WHERE n < c AND n < 4)
               SELECT count(*) FROM steps";
    assert_eq!(fixture.value(sql).await, "4");
}

/// What a top-k or a join found to skip in one run is not skipped in the next.
#[tokio::test]
async fn a_plan_that_runs_again_skips_nothing_of_the_run_before() {
    let fixture = Fixture::new().await;
    let events: Vec<_> =
        (0..2_000).map(|row| event(START + row, &format!("d{row}"), "a", row as f64)).collect();
    fixture.append_to_files(&events).await;
    let top = "WITH RECURSIVE steps(n, v) AS (SELECT 0, CAST(0 AS DOUBLE) UNION ALL \
               SELECT n + 1, t.value FROM steps, (SELECT value FROM events ORDER BY value DESC LIMIT 3) t WHERE n < 3) \
               SELECT count(*) FROM steps";
    assert_eq!(fixture.value(top).await, "40");
    for key in ["e.value = s.v", "e.timestamp = s.t", "e.device_id = s.d"] {
        let chain = format!(
            "WITH RECURSIVE steps(n, v, t, d) AS (SELECT 0, value, timestamp, device_id FROM events WHERE value = 7 UNION ALL \
             SELECT n + 1, e.value + 40, e.timestamp + INTERVAL '40 microseconds', concat('d', (e.value + 40)::bigint) \
             FROM steps s JOIN events e ON {key} WHERE n < 30) SELECT count(*) FROM steps"
        );
        assert_eq!(fixture.value(&chain).await, "31", "{key}");
    }
}

#[tokio::test]
async fn large_tables_are_read_in_several_partitions() {
    let fixture = Fixture::new().await;
    let events = random_events(23, 150_000, 3);
    fixture.append_to_files(&events).await;
    fixture.append(&events).await;
    let plan = fixture.table("EXPLAIN SELECT type, sum(value) FROM events GROUP BY type").await;
    assert!(plan.contains("partitions=2"), "{plan}");
    let sum: f64 = events.iter().filter(|event| event.kind == "battery").map(|event| event.value).sum();
    let sql = "SELECT sum(value) FROM events WHERE type = 'battery'";
    assert_eq!(fixture.value(sql).await, format!("{:?}", 2.0 * sum));
}

/// Odd events in files, even ones in memory, in several batches.
async fn mixed(seed: u64, count: usize) -> (Fixture, Vec<Event>) {
    let fixture = Fixture::new().await;
    let events = random_events(seed, count, 6);
    for (number, part) in events.chunks(count.div_ceil(8)).enumerate() {
        if number < 4 {
            fixture.append_to_files(part).await;
        } else {
            fixture.append(part).await;
        }
    }
    (fixture, events)
}

fn random_filter(random: &mut Random) -> (String, Test) {
    let (left_sql, left) = random_condition(random);
    let (right_sql, right) = random_condition(random);
    match random.below(4) {
        0 => (left_sql, left),
        1 => (format!("{left_sql} AND {right_sql}"), Box::new(move |event| left(event) && right(event))),
        2 => (format!("({left_sql} OR {right_sql})"), Box::new(move |event| left(event) || right(event))),
        _ => {
            (format!("{left_sql} AND NOT ({right_sql})"), Box::new(move |event| left(event) && !right(event)))
        }
    }
}

/// A condition without nulls, so that NOT is the naive NOT.
fn random_condition(random: &mut Random) -> (String, Test) {
    let from = START + random.below(7) * HOUR - HOUR / 2;
    let to = from + random.below(3 * HOUR);
    let kind = TYPES[usize::try_from(random.below(4)).unwrap()];
    let bound = f64::from(i32::try_from(random.below(120) - 60).unwrap());
    match random.below(8) {
        0 => (
            format!("timestamp >= to_timestamp_micros({from}) AND timestamp < to_timestamp_micros({to})"),
            Box::new(move |event| event.timestamp >= from && event.timestamp < to),
        ),
        1 => (format!("type = '{kind}'"), Box::new(move |event| event.kind == kind)),
        2 => (format!("type IN ('{kind}', 'none')"), Box::new(move |event| event.kind == kind)),
        3 => (format!("type <> '{kind}'"), Box::new(move |event| event.kind != kind)),
        4 => (format!("value <= {bound}"), Box::new(move |event| event.value <= bound)),
        5 => ("latitude IS NULL".to_owned(), Box::new(|event| event.place.is_none())),
        6 => ("device_id LIKE '%-01%'".to_owned(), Box::new(|event| event.device.contains("-01"))),
        _ => (
            format!("coalesce(latitude > {bound}, false)"),
            Box::new(move |event| event.place.is_some_and(|place| place.0 > bound)),
        ),
    }
}

type Row = (String, i64, i64);

fn found(rows: &[RecordBatch]) -> Vec<Row> {
    let row_of = |batch: &RecordBatch, row: usize| {
        (
            batch.column(0).as_string_view().value(row).to_owned(),
            micro(batch.column(1).as_primitive::<Float64Type>().value(row)),
            batch.column(2).as_primitive::<TimestampMicrosecondType>().value(row),
        )
    };
    rows.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| row_of(batch, row))).collect()
}

fn expected_rows(events: &[&Event]) -> Vec<Row> {
    events.iter().map(|event| (event.device.clone(), micro(event.value), event.timestamp)).collect()
}

/// Quarters are exact.
#[expect(clippy::cast_possible_truncation, reason = "values are quarters below 100")]
fn micro(value: f64) -> i64 {
    (value * 4.0) as i64
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort();
    rows
}

fn events_of(batch: &RecordBatch) -> Vec<Event> {
    let text = |column: usize, row: usize| {
        let values = batch.column(column).as_string_view();
        values.is_valid(row).then(|| values.value(row).to_owned())
    };
    let number = |column: usize, row: usize| {
        let values = batch.column(column).as_primitive::<Float64Type>();
        values.is_valid(row).then(|| values.value(row))
    };
    let cell = |row: usize| batch.column(6).as_primitive::<Int64Type>().is_valid(row);
    (0..batch.num_rows())
        .map(|row| {
            let place = number(4, row).zip(number(5, row));
            assert_eq!(cell(row), place.is_some());
            Event {
                timestamp: batch.column(0).as_primitive::<TimestampMicrosecondType>().value(row),
                device: text(1, row).unwrap(),
                kind: text(2, row).unwrap(),
                value: number(3, row).unwrap(),
                place,
                metadata: text(7, row),
            }
        })
        .collect()
}
