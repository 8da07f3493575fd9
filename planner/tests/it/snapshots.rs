//! One query sees one cut of a table; and what a query held is given back when it is dropped.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, TryStreamExt};
use hexflight_engine::EngineOptions;
use hexflight_planner::{QueryErrorKind, QueryOptions};

use crate::support::{Fixture, START, event, random_events};

/// Both sides of a self-join and a subquery count the same rows, whatever is appended meanwhile.
#[tokio::test]
async fn every_mention_of_a_table_sees_the_same_rows() {
    let fixture = Arc::new(Fixture::new().await);
    fixture.append(&[event(START, "a", "temperature", 0.0)]).await;
    let writer = {
        let fixture = Arc::clone(&fixture);
        tokio::spawn(async move {
            for row in 1..200 {
                fixture.append(&[event(START + row, "a", "temperature", 1.0)]).await;
                if row % 50 == 0 {
                    fixture.engine.flush().await.unwrap();
                }
            }
        })
    };
    let sql = "SELECT (SELECT count(*) FROM events WHERE value >= 0)
                    - (SELECT count(*) FROM hexflight.public.events a WHERE value >= 0)
                    + (SELECT count(*) FROM events a JOIN public.events b ON a.timestamp = b.timestamp)
                    - (SELECT count(value) FROM events)";
    while !writer.is_finished() {
        assert_eq!(fixture.value(sql).await, "0");
    }
    writer.await.unwrap();
    assert_eq!(fixture.value("SELECT count(*) FROM events").await, "200");
}

#[tokio::test]
async fn a_running_query_keeps_its_cut() {
    let fixture = Fixture::new().await;
    fixture.append(&random_events(1, 100, 1)).await;
    let stream = fixture.queries.execute("SELECT value FROM events", vec![]).await.unwrap();
    fixture.append_to_files(&random_events(2, 100, 1)).await;
    let rows: Vec<_> = stream.try_collect().await.unwrap();
    assert_eq!(rows.iter().map(|batch| batch.num_rows()).sum::<usize>(), 100);
}

#[tokio::test]
async fn a_query_beyond_its_memory_is_told_so_and_gives_it_back() {
    let engine = EngineOptions { memory_limit_bytes: 64 << 20, ..EngineOptions::default() };
    let options = QueryOptions { target_partitions: 1, memory_share: 0.1, ..QueryOptions::default() };
    let fixture = Fixture::with(engine, options).await;
    let before = fixture.engine.budget().used();
    let sql = "SELECT value * 7919 % 1000003 AS k, count(*) FROM generate_series(1, 1000000) AS t(value) GROUP BY 1";
    let error = fixture.refusal(sql).await;
    assert_eq!(error.kind, QueryErrorKind::ResourcesExhausted, "{error}");
    assert!(error.message.contains("more for this query; queries hold"), "{error}");
    until(|| fixture.engine.budget().used() <= before, "the query still holds memory").await;
}

#[tokio::test]
async fn dropping_the_stream_stops_the_query() {
    let fixture = Fixture::new().await;
    let before = fixture.engine.budget().used();
    let sql = "SELECT value * 7919 % 1000003 AS k, count(*) FROM generate_series(1, 1000000000000) AS t(value) GROUP BY 1";
    let stream = fixture.queries.execute(sql, vec![]).await.unwrap();
    until(|| fixture.engine.budget().used() > before, "the query never held memory").await;
    drop(stream);
    until(|| fixture.engine.budget().used() <= before, "the query still holds memory").await;
}

#[tokio::test]
async fn an_unread_result_does_not_grow() {
    let fixture = Fixture::new().await;
    let stream =
        fixture.queries.execute("SELECT * FROM generate_series(1, 1000000000000)", vec![]).await.unwrap();
    let first: Vec<_> = stream.take(3).try_collect().await.unwrap();
    assert_eq!(first.len(), 3);
}

/// Waits, with a bound, until something is so.
async fn until(condition: impl Fn() -> bool, otherwise: &str) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), waiting).await.is_ok(), "{otherwise}");
}
