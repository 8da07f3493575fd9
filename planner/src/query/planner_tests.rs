//! Remembered plans and fewer rules change no plan; and what is remembered holds no snapshot and no moment.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    util::pretty::pretty_format_batches,
};
use datafusion::physical_plan::{collect, displayable};
use hexflight_engine::{EngineOptions, Store, SystemClock, TableName};

use super::*;

/// WHERE clauses and what is asked of the rows that they leave; every pair is a statement.
const FILTERS: [&str; 8] = [
    "",
    "WHERE type = 'temperature' AND timestamp >= '2024-01-01T00:00:00Z' AND timestamp < '2024-01-01T02:00:00Z'",
    "WHERE device_id IN ('a', 'b') AND value BETWEEN 1 AND 2 + 3",
    "WHERE latitude BETWEEN 40 AND 41 AND longitude BETWEEN -74 AND -73 OR h3 IS NULL",
    "WHERE NOT (value > 1 AND type LIKE 'temp%') OR metadata->>'floor' = '2'",
    "WHERE false",
    "WHERE 1 = 1 AND value = value AND coalesce(latitude, 0) > -1",
    "WHERE timestamp > now() - INTERVAL '1 hour' AND random() < 0.5",
];

const QUESTIONS: [&str; 14] = [
    "SELECT * FROM events {}",
    "SELECT count(*), avg(value), min(value), max(value), sum(value) FROM events {}",
    "SELECT device_id, count(*) AS n FROM events {} GROUP BY device_id ORDER BY n DESC, device_id LIMIT 10",
    "SELECT date_bin(INTERVAL '1 minute', timestamp) AS t, avg(value) FROM events {} GROUP BY t ORDER BY t",
    "SELECT h3, count(*) AS n FROM events {} GROUP BY h3 ORDER BY n DESC LIMIT 10",
    "SELECT type, type AS again, device_id, max(value) FROM events {} GROUP BY type, type, device_id, 1 HAVING count(*) > 1",
    "SELECT count(DISTINCT device_id), count(DISTINCT type) FROM events {}",
    "SELECT count(DISTINCT device_id) FROM events {} GROUP BY type",
    "SELECT timestamp, value FROM events {} ORDER BY timestamp DESC, timestamp LIMIT 5 OFFSET 2",
    "SELECT value + 1 AS a, (value + 1) * 2 AS b, metadata->>'floor' AS c FROM events {} LIMIT 0",
    "SELECT x.type, x.n * 2 FROM (SELECT type, count(*) AS n FROM events {} GROUP BY type LIMIT 3) AS x WHERE x.n > 0",
    "SELECT DISTINCT type FROM events {}",
    "SELECT type, row_number() OVER (ORDER BY value) FROM events {}",
    "SELECT type FROM events {} GROUP BY ROLLUP(type, device_id) ORDER BY type NULLS FIRST",
];

#[tokio::test]
async fn fewer_rules_give_the_same_plans() {
    let (planner, _directory) = planner().await;
    let mut plain = 0;
    for (question, filter) in QUESTIONS.iter().flat_map(|question| FILTERS.map(|filter| (question, filter))) {
        let sql = question.replace("{}", filter);
        let statement = planner.statement(&sql, None).await.unwrap();
        plain += usize::from(statement.shape == Shape::Plain);
        let mut texts = vec![];
        for shape in [Shape::Any, statement.shape] {
            let mut state = planner.state(shape);
            state.execution_props_mut().query_execution_start_time = None;
            let plan = state.optimize(&statement.plan).unwrap();
            let plan = catalog::pin(plan, &planner.engine, &Asker::default()).unwrap();
            let logical = plan.display_indent_schema().to_string();
            let plan = state.query_planner().create_physical_plan(&plan, &state).await.unwrap();
            texts.push(format!("{logical}\n{}", displayable(plan.as_ref()).indent(true)));
        }
        assert_eq!(texts[0], texts[1], "{sql}");
    }
    assert_eq!(plain, 12 * FILTERS.len());
}

#[tokio::test]
async fn a_remembered_statement_answers_like_a_new_one() {
    let (planner, _directory) = planner().await;
    for (question, filter) in
        QUESTIONS.iter().flat_map(|question| FILTERS[1..4].iter().map(move |filter| (question, filter)))
    {
        // Without ORDER BY, rows of several partitions come in any order.
        let sql = question.replace("{}", filter);
        let first = answer(&planner, &sql).await;
        assert!(planner.statements.get(&sql).is_some(), "{sql}");
        assert_eq!(answer(&planner, &sql).await, first, "{sql}");
    }
}

#[tokio::test]
async fn now_is_that_of_the_run() {
    let (planner, _directory) = planner().await;
    for sql in [
        "SELECT now() AS t FROM events LIMIT 1",
        "SELECT t FROM (SELECT current_timestamp AS t FROM events) LIMIT 1",
    ] {
        let first = answer(&planner, sql).await;
        assert!(planner.statements.get(sql).is_some(), "{sql}");
        assert_ne!(answer(&planner, sql).await, first, "{sql}");
    }
}

#[tokio::test]
async fn parameters_are_those_of_the_run() {
    let (planner, _directory) = planner().await;
    let sql = "SELECT count(*) FROM events WHERE value < $1";
    for (bound, expected) in [(0.5, 1), (1.5, 2), (9.5, 6), (0.5, 1)] {
        let plan = planner.plan(sql, vec![bound.into()], &Asker::default(), Way::Large).await.unwrap();
        let context = context(&planner);
        let rows = collect(plan, context).await.unwrap();
        assert!(
            pretty_format_batches(&rows).unwrap().to_string().contains(&format!("| {expected} ")),
            "{bound}"
        );
    }
}

#[tokio::test]
async fn what_is_remembered_holds_no_snapshot() {
    let (planner, _directory) = planner().await;
    let sql = "SELECT count(value) FROM events a WHERE value >= (SELECT min(value) FROM events)";
    let snapshot = Arc::downgrade(&planner.engine.snapshot(&table()).unwrap());
    drop(answer(&planner, sql).await);
    drop(answer(&planner, "SELECT type, value FROM events").await);
    append(&planner.engine, 6..7).await;
    planner.engine.flush().await.unwrap();
    assert!(snapshot.upgrade().is_none());
    assert!(answer(&planner, sql).await.contains("| 7 "));
}

#[tokio::test]
async fn only_statements_over_tables_are_remembered() {
    let (planner, _directory) = planner().await;
    let long = format!("SELECT count(*) FROM events WHERE type = '{}'", "x".repeat(9_000));
    let unions = vec!["SELECT value FROM events"; 50].join(" UNION ALL ");
    for sql in [
        "SHOW TABLES",
        "SELECT table_name FROM information_schema.tables",
        "SELECT * FROM generate_series(1, 3)",
        &long,
        &unions,
    ] {
        drop(answer(&planner, sql).await);
        assert!(planner.statements.get(sql).is_none(), "{sql}");
    }
    drop(answer(&planner, "EXPLAIN ANALYZE SELECT type FROM events").await);
    assert!(planner.statements.get("EXPLAIN ANALYZE SELECT type FROM events").is_some());
}

fn context(planner: &Planner) -> Arc<TaskContext> {
    let admission = Arc::new(Admission::new(1, 0, Duration::ZERO));
    let attempt = Attempt::first(Way::Large);
    planner.context(attempt, &Ended::default(), &Arc::default(), &admission, &Findings::default())
}

/// Sorted lines.
async fn answer(planner: &Planner, sql: &str) -> String {
    let plan = planner
        .plan(sql, vec![], &Asker::default(), Way::Large)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    let rows = collect(plan, context(planner)).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let text = pretty_format_batches(&rows).unwrap().to_string();
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// Three rows in a file, three in memory.
async fn planner() -> (Planner, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open_local(directory.path()).await.unwrap();
    let engine = Engine::open(store, EngineOptions::default(), Arc::new(SystemClock)).await.unwrap();
    append(&engine, 0..3).await;
    engine.flush().await.unwrap();
    append(&engine, 3..6).await;
    let options = QueryOptions { target_partitions: 2, ..QueryOptions::default() };
    (Planner::new(engine, &options, &Arc::default()).unwrap(), directory)
}

fn table() -> TableName {
    TableName::new("events")
}

async fn append(engine: &Engine, rows: std::ops::Range<i32>) {
    let times = rows.clone().map(|row| 1_704_067_200_000_000 + 3_600_000_000 * i64::from(row));
    let columns: [(&str, ArrayRef); 4] = [
        ("timestamp", Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))),
        (
            "device_id",
            Arc::new(
                rows.clone().map(|row| Some(if row % 3 == 0 { "a" } else { "b" })).collect::<StringArray>(),
            ),
        ),
        (
            "type",
            Arc::new(
                rows.clone()
                    .map(|row| Some(if row % 2 == 0 { "temperature" } else { "humidity" }))
                    .collect::<StringArray>(),
            ),
        ),
        ("value", Arc::new(Float64Array::from_iter_values(rows.map(f64::from)))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    engine.append(&table(), &batch).await.unwrap().wait().await.unwrap();
}
