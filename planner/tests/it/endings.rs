//! Queries that nobody waits for any more end wherever they are in their work, and until then they keep no thread from others.

use std::time::{Duration, Instant};

use hexflight_engine::EngineOptions;
use hexflight_planner::{QueryOptions, QueryStream};

use crate::support::{Fixture, random_events};

/// More rows than a join of each with each gets through while a test lasts.
const ROWS: usize = 150_000;

/// How long an end may take; 2 s where the machine has nothing else to do.
const END_WAIT: Duration = Duration::from_secs(20);

/// Joins that look at billions of pairs and let none through.
const FRUITLESS: [&str; 8] = [
    "SELECT count(*) FROM events a, events b WHERE a.value * b.value = 7.125",
    "SELECT count(*) FROM events a LEFT JOIN events b ON a.value + b.value < -1e9",
    "SELECT count(*) FROM events a FULL JOIN events b ON a.value + b.value < -1e9",
    "SELECT count(*) FROM events a JOIN events b ON a.type = b.type AND a.value * b.value < -1e9",
    "SELECT count(*) FROM events a WHERE NOT EXISTS \
     (SELECT 1 FROM events b WHERE b.type = a.type AND b.value < a.value - 1e9 AND b.latitude > a.latitude)",
    "SELECT count(*) FROM events a WHERE a.value > ALL (SELECT b.value + 1e9 FROM events b WHERE b.type = a.type)",
    "SELECT count(*) FROM events a, events b, events c WHERE a.value * b.value * c.value = 7.125",
    "SELECT a.device_id FROM events a, events b WHERE a.value * b.value = 7.125 ORDER BY a.timestamp LIMIT 3",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_lets_nothing_through_ends_when_nobody_waits() {
    let fixture = Fixture::new().await;
    fixture.append(&random_events(1, ROWS, 2)).await;
    let before = fixture.engine.budget().used();
    for sql in FRUITLESS {
        let stream = fixture.queries.execute(sql, vec![]).await.unwrap();
        wait_until(|| fixture.engine.budget().used() > before).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(stream);
        wait_until(|| fixture.engine.budget().used() <= before).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_answered_beside_joins_that_let_nothing_through() {
    let options =
        QueryOptions { target_partitions: 2, queries_max: FRUITLESS.len(), ..QueryOptions::default() };
    let fixture = Fixture::with(EngineOptions::default(), options).await;
    fixture.append(&random_events(1, ROWS, 2)).await;
    let mut running: Vec<QueryStream> = vec![];
    for sql in FRUITLESS {
        running.push(fixture.queries.execute(sql, vec![]).await.unwrap());
    }
    for _ in 0..10 {
        let answers = async {
            fixture.rows("SELECT 1").await;
            fixture.rows("SELECT avg(value) FROM events WHERE timestamp > '2024-01-01T01:00:00Z'").await;
        };
        tokio::time::timeout(END_WAIT, answers).await.unwrap();
    }
}

/// One batch takes minutes here, but is computed in pieces.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_takes_long_ends_within_its_batch() {
    let fixture = Fixture::new().await;
    fixture.append(&random_events(1, 2_000, 2)).await;
    let before = fixture.engine.budget().used();
    for sql in [
        "SELECT sum(levenshtein(repeat(type, 800), repeat(device_id, 800))) FROM events",
        "SELECT count(*) FROM events WHERE levenshtein(repeat(type, 800), repeat(device_id, 800)) < 0",
        "SELECT device_id FROM events ORDER BY levenshtein(repeat(type, 800), repeat(device_id, 800)) LIMIT 1",
    ] {
        let stream = fixture.queries.execute(sql, vec![]).await.unwrap();
        wait_until(|| fixture.engine.budget().used() > before).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(stream);
        wait_until(|| fixture.engine.budget().used() <= before).await;
    }
}

/// Each batch of rows takes half a minute unoptimised. What has been answered is reserved until its partition is at its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_window_ends_within_its_batch() {
    let fixture = Fixture::new().await;
    fixture.append(&random_events(1, 60_000, 2)).await;
    let before = fixture.engine.budget().used();
    let sql = "SELECT max(cardinality(l)) FROM \
               (SELECT array_agg(value) OVER (ORDER BY timestamp ROWS BETWEEN 3000 PRECEDING AND CURRENT ROW) AS l FROM events) q";
    let stream = fixture.queries.execute(sql, vec![]).await.unwrap();
    wait_until(|| fixture.engine.budget().used() > before + (8 << 20)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(stream);
    wait_until(|| fixture.engine.budget().used() <= before).await;
}

/// The second function needs whole partitions, so that the first, which has the square of its rows, has one poll for all of them.
#[tokio::test(flavor = "multi_thread")]
async fn others_are_answered_beside_windows_of_one_partition() {
    let options = QueryOptions { target_partitions: 2, queries_max: 8, ..QueryOptions::default() };
    let fixture = Fixture::with(EngineOptions::default(), options).await;
    fixture.append(&random_events(1, ROWS, 2)).await;
    let sql = "SELECT max(m), max(c) FROM (SELECT median(value) OVER (ORDER BY timestamp) AS m, \
               count(*) OVER (ORDER BY timestamp ROWS BETWEEN 1 PRECEDING AND UNBOUNDED FOLLOWING) AS c FROM events) q";
    let mut running: Vec<QueryStream> = vec![];
    for _ in 0..6 {
        running.push(fixture.queries.execute(sql, vec![]).await.unwrap());
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let answer = fixture.rows("SELECT avg(value) FROM events WHERE timestamp > '2024-01-01T01:00:00Z'");
    tokio::time::timeout(END_WAIT, answer).await.unwrap();
}

async fn wait_until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < END_WAIT, "not within {END_WAIT:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
