//! Who runs when, who ends whom, and what an ended or unread query gives back.

use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray};
use futures::TryStreamExt;
use hexflight_engine::EngineOptions;
use hexflight_planner::{
    Asker, QueryErrorKind, QueryOptions, QueryProgress, QueryState, StopReason, classify,
};

use crate::support::{Fixture, random_events};

/// Runs for hours.
const ENDLESS: &str =
    "SELECT count(*) FROM events a, events b, events c WHERE a.value * b.value * c.value = 7.125";

/// How long something may take that should happen at once.
const SOON: Duration = Duration::from_secs(20);

async fn fixture(queries_max: usize, queue_max: usize, wait: Duration) -> Fixture {
    let options = QueryOptions {
        target_partitions: 2,
        queries_max,
        queue_max,
        queue_wait_max: wait,
        ..QueryOptions::default()
    };
    let fixture = Fixture::with(EngineOptions::default(), options).await;
    fixture.append(&random_events(1, 20_000, 2)).await;
    fixture
}

async fn wait_until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < SOON, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn states(fixture: &Fixture) -> Vec<String> {
    let sql = "SELECT state FROM system.queries WHERE sql NOT LIKE '%system.queries%' ORDER BY query_id";
    let rows = fixture.rows(sql).await;
    rows.iter()
        .flat_map(|batch| batch.column(0).as_string_view().iter().flatten())
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn large_queries_wait_and_small_ones_pass_them() {
    let fixture = fixture(1, 1, Duration::from_secs(1)).await;
    let first = fixture.queries.execute(ENDLESS, vec![]).await.unwrap();
    let (waiting, progress) = (fixture.queries.execute(ENDLESS, vec![]), QueryProgress::start());
    tokio::pin!(waiting);
    tokio::select! {
        _ = &mut waiting => panic!("it did not wait"),
        () = wait_until("queued", async || states(&fixture).await == ["running", "queued"]) => {}
    }
    let refused = fixture.queries.execute_watched(ENDLESS, vec![], &progress).await.unwrap_err();
    let refused = classify(&refused);
    assert_eq!(refused.kind, QueryErrorKind::Busy, "{refused}");
    assert!(
        refused.message.contains("1 queries run and 1 wait") && refused.message.contains("max_queries"),
        "{refused}"
    );
    assert_eq!(fixture.value("SELECT count(*) FROM events").await, "20000");
    let tired = classify(&waiting.await.unwrap_err());
    assert_eq!(tired.kind, QueryErrorKind::Busy, "{tired}");
    drop(first);
    let next = fixture.queries.execute(ENDLESS, vec![]);
    drop(tokio::time::timeout(SOON, next).await.unwrap().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_the_queue_makes_room() {
    let fixture = fixture(1, 1, SOON).await;
    let first = fixture.queries.execute(ENDLESS, vec![]).await.unwrap();
    let progress = QueryProgress::start();
    tokio::select! {
        _ = fixture.queries.execute_watched(ENDLESS, vec![], &progress) => panic!("it did not wait"),
        () = wait_until("queued", async || progress.report().state == QueryState::Queued) => {}
    }
    let second = fixture.queries.execute(ENDLESS, vec![]);
    tokio::pin!(second);
    tokio::select! {
        early = &mut second => panic!("{:?}", early.map(drop)),
        () = tokio::time::sleep(Duration::from_millis(200)) => {}
    }
    drop(first);
    drop(tokio::time::timeout(SOON, second).await.unwrap().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_ended_by_its_id_by_who_may() {
    let fixture = fixture(4, 10, SOON).await;
    let ada = Asker { user: Some("ada".into()), sees_all: false };
    let progress = QueryProgress::start_for(ada.clone());
    let stream = fixture.queries.execute_watched(ENDLESS, vec![], &progress).await.unwrap();
    let id = stream.query_id();
    assert!(!fixture.queries.stop(id + 1, &ada));
    assert!(!fixture.queries.stop(id, &Asker { user: Some("eve".into()), sees_all: false }));
    assert!(fixture.queries.stop(id, &ada));
    let error = stream.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(classify(&error).message, "the query was cancelled");
    assert!(!fixture.queries.stop(id, &ada), "it has ended");
    assert_eq!(states(&fixture).await, ["cancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_query_gives_all_back_though_nobody_reads() {
    let fixture = fixture(4, 10, SOON).await;
    let before = fixture.engine.budget().used();
    for sql in ["SELECT * FROM events", "SELECT * FROM events ORDER BY value, timestamp"] {
        let progress = QueryProgress::start();
        let stream = fixture.queries.execute_watched(sql, vec![], &progress).await.unwrap();
        wait_until("memory is held", async || fixture.engine.budget().used() > before).await;
        let limit = StopReason::ServerLimit(Duration::from_millis(5));
        progress.stop().stop(limit);
        wait_until("memory is back", async || fixture.engine.budget().used() <= before).await;
        let error = classify(&stream.try_collect::<Vec<_>>().await.unwrap_err());
        assert_eq!(error.kind, QueryErrorKind::TimedOut, "{error}");
        assert!(error.message.contains("limit of 5ms (query_timeout)"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_not_read_keeps_no_place() {
    let fixture = fixture(1, 10, SOON).await;
    let sql = "SELECT a.value, repeat('x', 2000) FROM events a, events b";
    let unread = fixture.queries.execute(sql, vec![]).await.unwrap();
    let other = "SELECT count(*) FROM events a JOIN events b ON a.timestamp = b.timestamp AND a.device_id = b.device_id";
    let answer = tokio::time::timeout(SOON, fixture.value(other)).await.unwrap();
    assert!(answer.parse::<u64>().unwrap() >= 20_000);
    drop(unread);
}

#[tokio::test(flavor = "multi_thread")]
async fn system_queries_tells_what_a_query_holds() {
    let fixture = fixture(4, 10, SOON).await;
    let stream = fixture.queries.execute("SELECT * FROM events ORDER BY value", vec![]).await.unwrap();
    let sql = "SELECT memory_bytes, memory_peak_bytes FROM system.queries WHERE sql LIKE '%ORDER BY value'";
    wait_until("held", async || fixture.value(sql).await.parse::<u64>().unwrap() > 0).await;
    drop(stream.try_collect::<Vec<_>>().await.unwrap());
    wait_until("given back", async || fixture.value(sql).await == "0").await;
    let peak = fixture.rows(sql).await;
    assert!(peak[0].column(1).as_primitive::<arrow::datatypes::Int64Type>().value(0) > 0);
    assert_eq!(peak[0].column(0).len(), 1);
}

/// What all large queries may hold is held, and one runs that never ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_small_query_needs_nothing_of_what_large_ones_hold() {
    let fixture = fixture(1, 1, Duration::from_millis(100)).await;
    let endless = fixture.queries.execute(ENDLESS, vec![]).await.unwrap();
    let budget = fixture.engine.budget();
    let mut held = budget.queries();
    held.try_grow(budget.queries_max() - budget.share(0.01), 1.0).unwrap();
    let small = "SELECT count(*) FROM (SELECT device_id, count(*) FROM events GROUP BY device_id)";
    assert_ne!(fixture.value(small).await, "0");
    drop(endless);
}

/// A sort of all rows does not fit into the tenth of small queries.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_larger_than_it_looked_goes_among_the_large_ones() {
    let fixture = Fixture::with(
        EngineOptions { memory_limit_bytes: 64 << 20, ..EngineOptions::default() },
        QueryOptions { target_partitions: 2, queries_max: 2, ..QueryOptions::default() },
    )
    .await;
    fixture.append(&random_events(1, 100_000, 2)).await;
    let sql = "SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY value, metadata, timestamp) AS n FROM events)";
    assert_eq!(fixture.value(sql).await, "100000");
    let peak = "SELECT max(memory_peak_bytes) FROM system.queries WHERE sql LIKE '%row_number%' AND sql NOT LIKE '%peak%'";
    let peak: usize = fixture.value(peak).await.parse().unwrap();
    assert!(peak > fixture.engine.budget().small_queries_max(), "{peak}");
    let large = fixture.queries.execute(ENDLESS, vec![]).await.unwrap();
    assert_eq!(fixture.value(sql).await, "100000", "beside a large one");
    drop(large);
}
