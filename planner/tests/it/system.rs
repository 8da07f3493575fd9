//! `system.queries`: what it says of queries that run, have ended, have failed and were left.

use futures::{StreamExt, TryStreamExt};
use hexflight_planner::{Asker, QueryProgress};

use crate::support::{Fixture, HOUR, START, event, random_events};

#[tokio::test]
async fn a_finished_query_tells_what_it_read_and_pruned() {
    let fixture = Fixture::new().await;
    fixture.append_to_files(&[event(START, "a", "temperature", 1.0)]).await;
    fixture.append_to_files(&[event(START + HOUR, "a", "temperature", 1.0)]).await;
    fixture.append(&[event(START + HOUR, "b", "humidity", 2.0)]).await;
    let sql =
        "SELECT device_id FROM events WHERE timestamp > '2024-01-01T00:30:00Z' AND type = 'temperature'";
    assert_eq!(fixture.value(sql).await, "a");
    let row = fixture
        .table(
            "SELECT query_id, state, rows_returned, rows_read, files, files_pruned, files_pruned_time, files_pruned_type,
                    memory_batches, memory_batches_pruned_type, error, \"user\",
                    bytes_read > 0 AND planning_ms > 0 AND duration_ms >= planning_ms
                    AND started_at BETWEEN now() - INTERVAL '1 minute' AND now() AS sound
             FROM system.queries WHERE sql LIKE '%device_id FROM events%' AND state <> 'running'",
        )
        .await;
    let values: Vec<_> = row.lines().nth(3).unwrap().split('|').map(str::trim).collect();
    assert_eq!(
        values[1..14],
        ["1", "finished", "1", "1", "2", "1", "1", "0", "1", "1", "", "", "true"],
        "{row}"
    );
}

#[tokio::test]
async fn what_is_decoded_of_files_counts_among_the_memory_of_the_query() {
    let fixture = Fixture::new().await;
    fixture.append_to_files(&random_events(1, 20_000, 1)).await;
    let peak = async |sql: &str| {
        fixture.value(sql).await;
        let sql = sql.replace('\'', "''");
        let peak = format!("SELECT memory_peak_bytes FROM system.queries WHERE sql = '{sql}'");
        fixture.value(&peak).await.parse::<usize>().unwrap()
    };
    let (all, none) = (
        peak("SELECT count(device_id) FROM events WHERE value < 1e9").await,
        peak("SELECT count(*) FROM generate_series(1, 20000) t(v)").await,
    );
    // A column of values and one of devices, as they lie in the file: three times.
    assert!(all > none + 3 * 20_000, "{all} {none}");
}

#[tokio::test]
async fn every_end_of_a_query_is_told() {
    let fixture = Fixture::new().await;
    fixture.append(&random_events(1, 100, 1)).await;
    let state = async |sql: &str| {
        fixture
            .value(&format!(
                "SELECT state || coalesce(': ' || error, '') FROM system.queries WHERE sql = '{sql}'"
            ))
            .await
    };
    let running =
        fixture.queries.execute("SELECT * FROM generate_series(1, 1000000000000)", vec![]).await.unwrap();
    assert_eq!(state("SELECT * FROM generate_series(1, 1000000000000)").await, "running");
    drop(running.take(1).try_collect::<Vec<_>>().await.unwrap());
    assert_eq!(state("SELECT * FROM generate_series(1, 1000000000000)").await, "cancelled");
    fixture.refusal("SELEC 1").await;
    assert!(state("SELEC 1").await.starts_with("failed: "));
    fixture.refusal("SELECT 1 / (value - value) FROM generate_series(1, 2) AS t(value)").await;
    let failed = state("SELECT 1 / (value - value) FROM generate_series(1, 2) AS t(value)").await;
    assert!(failed.starts_with("failed: "), "{failed}");
    let own = "SELECT count(*) FROM system.queries WHERE state = 'running'";
    assert_eq!(fixture.value(own).await, "1");
}

#[tokio::test]
async fn who_asks_is_told() {
    let fixture = Fixture::new().await;
    let progress = QueryProgress::start_for(asker("ada", true));
    let stream = fixture.queries.execute_watched("SELECT 1", vec![], &progress).await.unwrap();
    stream.try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(fixture.value("SELECT \"user\" FROM system.queries WHERE sql = 'SELECT 1'").await, "ada");
}

#[tokio::test]
async fn who_may_not_see_all_sees_the_own_statements() {
    let fixture = Fixture::new().await;
    let ask = async |asker: Asker, sql: &str| {
        let progress = QueryProgress::start_for(asker);
        let stream = fixture.queries.execute_watched(sql, vec![], &progress).await.unwrap();
        let batches: Vec<_> = stream.try_collect().await.unwrap();
        batches.iter().map(|batch| batch.num_rows()).sum::<usize>()
    };
    ask(asker("ada", false), "SELECT 'of ada'").await;
    ask(asker("bob", false), "SELECT 'of bob'").await;
    ask(Asker::default(), "SELECT 'of nobody'").await;
    for sql in [
        "SELECT sql FROM system.queries WHERE sql LIKE 'SELECT ''of %'",
        "SELECT 1 FROM system.queries WHERE sql IN (SELECT q.sql FROM system.queries AS q WHERE q.sql LIKE 'SELECT ''of %')",
        "WITH q AS (SELECT * FROM system.queries) SELECT sql FROM q WHERE sql LIKE 'SELECT ''of %'",
    ] {
        assert_eq!(ask(asker("ada", false), sql).await, 1, "{sql}");
        assert_eq!(ask(asker("eve", true), sql).await, 3, "{sql}");
        let nobody = Asker { user: None, sees_all: false };
        assert_eq!(ask(nobody, sql).await, 0, "{sql}");
    }
}

#[tokio::test]
async fn the_schema_lists_its_table() {
    let fixture = Fixture::new().await;
    let sql = "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema = 'system'";
    assert_eq!(fixture.value(sql).await, "system.queries");
    let columns = fixture.queries.catalog_tables().pop().unwrap().columns;
    let sql = "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'system'";
    assert_eq!(fixture.value(sql).await, columns.fields().len().to_string());
    assert_eq!(
        columns.field_with_name("files_pruned_h3").unwrap().data_type(),
        &arrow::datatypes::DataType::Int64
    );
    assert_eq!(fixture.value("SELECT count(*) FROM hexflight.system.queries").await, "3");
}

fn asker(user: &str, sees_all: bool) -> Asker {
    Asker { user: Some(user.into()), sees_all }
}
