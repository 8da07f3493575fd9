//! How far a query is, while it runs and after; and that a stopped one gives its thread back.

use std::time::Duration;

use futures::TryStreamExt;
use hexflight_engine::EngineOptions;
use hexflight_planner::{QueryOptions, QueryProgress, QueryState};

use crate::support::{Fixture, START, event, random_events};

/// Runs for hours, and gives no row before its end.
const ENDLESS: &str = "SELECT count(*) FROM events a, events b, events c, events d
                       WHERE a.value + b.value + c.value + d.value >= -1e300";

#[tokio::test]
async fn progress_counts_rows_and_sources_of_memory_and_files() {
    let fixture = Fixture::new().await;
    fixture.append_to_files(&random_events(1, 500, 1)).await;
    fixture.append(&random_events(2, 300, 1)).await;
    let progress = QueryProgress::start();
    assert_eq!(progress.report().state, QueryState::Planning);
    let sql = "SELECT device_id FROM events WHERE value >= -1e300";
    let stream = fixture.queries.execute_watched(sql, vec![], &progress).await.unwrap();
    assert_eq!(progress.report().state, QueryState::Running);
    let rows: Vec<_> = stream.try_collect().await.unwrap();
    assert_eq!(rows.iter().map(|batch| batch.num_rows()).sum::<usize>(), 800);
    progress.finish();
    let report = progress.report();
    assert_eq!((report.state, report.scanned.rows), (QueryState::Done, 800));
    assert_eq!((report.scanned.files, report.scanned.memory_batches), (1, 1));
    assert!(report.scanned.bytes > 0);
    assert_eq!(progress.report(), report);
}

#[tokio::test]
async fn progress_counts_what_was_pruned() {
    let fixture = Fixture::new().await;
    fixture.append_to_files(&[event(START, "a", "temperature", 1.0)]).await;
    fixture.append(&[event(START, "a", "temperature", 1.0)]).await;
    let progress = QueryProgress::start();
    let sql = "SELECT value FROM events WHERE type = 'no such type'";
    let stream = fixture.queries.execute_watched(sql, vec![], &progress).await.unwrap();
    stream.try_collect::<Vec<_>>().await.unwrap();
    let scanned = progress.report().scanned;
    assert_eq!((scanned.rows, scanned.files_pruned, scanned.memory_batches_pruned), (0, 1, 1));
}

#[tokio::test]
async fn a_stopped_join_gives_its_thread_back() {
    let options = QueryOptions { target_partitions: 1, ..QueryOptions::default() };
    let fixture = Fixture::with(EngineOptions::default(), options).await;
    fixture.append(&random_events(1, 1_000, 1)).await;
    let progress = QueryProgress::start();
    let stream = fixture.queries.execute_watched(ENDLESS, vec![], &progress).await.unwrap();
    // All leaves are read: from here on nothing but the joins can yield.
    let all_read = async {
        while progress.report().scanned.rows < 4_000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all_read).await.unwrap();
    drop(stream);
    let next = tokio::time::timeout(Duration::from_secs(60), fixture.value("SELECT 1")).await;
    assert_eq!(next.unwrap(), "1");
}
