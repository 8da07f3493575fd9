//! Queries larger than their memory: they spill, run again alone, or say what is too large.

use std::time::Duration;

use hexflight_engine::EngineOptions;
use hexflight_planner::{QueryError, QueryErrorKind, QueryOptions};

use crate::support::{Event, Fixture, START, event, first_value};

/// Far above what any of these takes.
const TIME_MAX: Duration = Duration::from_secs(100);

async fn small(spills: bool) -> (Fixture, tempfile::TempDir) {
    with_limit(spills, 64).await
}

async fn with_limit(spills: bool, limit_mib: usize) -> (Fixture, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let options = QueryOptions {
        target_partitions: 2,
        queries_max: 2,
        spill_directory: spills.then(|| directory.path().to_owned()),
        ..QueryOptions::default()
    };
    let engine = EngineOptions { memory_limit_bytes: limit_mib << 20, ..EngineOptions::default() };
    (Fixture::with(engine, options).await, directory)
}

async fn value(fixture: &Fixture, sql: &str) -> String {
    let Ok(value) = tokio::time::timeout(TIME_MAX, fixture.value(sql)).await else {
        panic!("no end after {TIME_MAX:?}: {sql}")
    };
    value
}

/// Bytes that the last statement like this one has spilled.
async fn spilled(fixture: &Fixture, like: &str) -> u64 {
    let sql = format!("SELECT max(spilled_bytes) FROM system.queries WHERE sql LIKE '{like}%'");
    fixture.value(&sql).await.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_and_sorts_spill() {
    let (fixture, directory) = small(true).await;
    let groups = "SELECT count(*) FROM (SELECT v % 600000 AS k, count(*) AS c FROM generate_series(1, 1200000) t(v) GROUP BY 1) q WHERE c = 2";
    assert_eq!(value(&fixture, groups).await, "600000");
    assert!(spilled(&fixture, "SELECT count(*) FROM (SELECT v %").await > 0);
    let sorted = "SELECT max(r) FROM (SELECT m, row_number() OVER (ORDER BY m) AS r FROM \
                  (SELECT md5(v::text) || repeat('x', 60) AS m FROM generate_series(1, 400000) t(v)) a) q WHERE length(m) = 92";
    assert_eq!(value(&fixture, sorted).await, "400000");
    assert!(spilled(&fixture, "SELECT max(r)").await > 0);
    // The rows of a large LIMIT, too.
    let limited = "SELECT count(*) + 0 * max(length(m)) FROM (SELECT v, m FROM (SELECT v, md5(v::text) AS m FROM generate_series(1, 600000) t(v)) a \
                   ORDER BY m || v::text, v OFFSET 300000 LIMIT 400000) q WHERE v > 0";
    assert_eq!(value(&fixture, limited).await, "300000");
    assert!(spilled(&fixture, "SELECT count(*) + 0").await > 0);
    drop(fixture);
    let left: Vec<_> = walk(directory.path());
    assert!(left.is_empty(), "{left:?}");
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// Two aggregates behind each other, each with an exchange before it: inputs of the second exchange that spill wait for each other.
#[tokio::test(flavor = "multi_thread")]
async fn exchanges_do_not_wait_for_each_other() {
    let (fixture, _directory) = small(true).await;
    let sql = "SELECT count(*) FROM (SELECT g, count(DISTINCT t) AS c FROM \
               (SELECT v % 1000 AS g, md5((v % 150000)::text) AS t FROM generate_series(1, 300000) s(v)) q GROUP BY g) r WHERE c = 150";
    for _ in 0..3 {
        assert_eq!(value(&fixture, sql).await, "1000");
    }
}

/// Each side alone is larger than the memory of all queries.
#[tokio::test(flavor = "multi_thread")]
async fn a_hash_join_that_is_too_large_is_one_that_spills() {
    let (fixture, directory) = with_limit(true, 96).await;
    let side = |letter: char| {
        format!(
            "(SELECT v, md5(v::text) AS m, repeat('{letter}', 100) AS w FROM generate_series(1, 300000) t(v))"
        )
    };
    for join in ["JOIN", "LEFT JOIN", "FULL JOIN"] {
        let sql = format!(
            "SELECT count(*) FROM {} a {join} {} b ON a.m = b.m WHERE coalesce(a.w, '') <> coalesce(b.w, '')",
            side('x'),
            side('y')
        );
        assert_eq!(value(&fixture, &sql).await, "300000", "{join}");
        assert!(spilled(&fixture, "SELECT count(*) FROM (SELECT v, md5").await > 0, "{join}");
    }
    let sql =
        format!("SELECT count(*) FROM {} a JOIN {} b ON a.m = b.m AND a.w <> b.w", side('x'), side('y'));
    let three = (0..3).map(|_| value(&fixture, &sql));
    for answer in futures::future::join_all(three).await {
        assert_eq!(answer, "300000");
    }
    drop(fixture);
    assert!(walk(directory.path()).is_empty());
}

/// What is not answered is refused for its size.
fn is_too_large(error: &QueryError) -> bool {
    error.kind == QueryErrorKind::ResourcesExhausted
        || error.to_string().contains("rows of one batch have at most")
}

/// Each side is larger than the memory of all queries, and comes from files, which a scan hands out once.
#[tokio::test(flavor = "multi_thread")]
async fn a_nested_loop_join_that_is_too_large_has_each_row_once() {
    const FILES: i64 = 40;
    const FILE_ROWS: i64 = 200;
    let (fixture, directory) = small(true).await;
    let note = format!(r#"{{"note":"{}"}}"#, "x".repeat(10_000));
    for file in 0..FILES {
        let rows = (file * FILE_ROWS..(file + 1) * FILE_ROWS).map(|row| Event {
            metadata: Some(note.clone()),
            ..event(START + row, "device", "a", row as f64)
        });
        fixture.append_to_files(&rows.collect::<Vec<_>>()).await;
    }
    let [a, b] = ['x', 'y'].map(|letter| format!("(SELECT value, metadata || '{letter}' AS w FROM events)"));
    // Six pairs of three rows each; 7,997 have no partner.
    let joins = [("JOIN", 6), ("LEFT JOIN", 8_003), ("RIGHT JOIN", 8_003), ("FULL JOIN", 16_000)];
    for (join, rows) in joins.into_iter().chain([("LEFT SEMI JOIN", 3), ("LEFT ANTI JOIN", 7_997)]) {
        let sql = format!("SELECT count(*) FROM {a} a {join} {b} b ON a.value + b.value < 3 AND a.w <> b.w");
        match tokio::time::timeout(TIME_MAX, fixture.try_rows(&sql, vec![])).await.unwrap() {
            Ok(found) => assert_eq!(first_value(&found), rows.to_string(), "{join}"),
            Err(error) => assert!(is_too_large(&error), "{join}: {error}"),
        }
    }
    assert!(spilled(&fixture, "SELECT count(*) FROM (SELECT value, metadata").await > 0);
    drop(fixture);
    assert!(walk(directory.path()).is_empty());
}

/// What a top-k below found to skip in the first run is not skipped in the second.
#[tokio::test(flavor = "multi_thread")]
async fn a_nested_loop_join_that_runs_a_top_k_again_has_all_its_rows() {
    let (fixture, _directory) = small(true).await;
    for file in 0..4 {
        let rows =
            (file * 100_000..(file + 1) * 100_000).map(|row| event(START + row, "device", "a", row as f64));
        fixture.append_to_files(&rows.collect::<Vec<_>>()).await;
    }
    let top = "(SELECT value, repeat('x', 1000) || value::bigint AS w FROM (SELECT value FROM events ORDER BY value DESC LIMIT 60000) t)";
    let sql = format!(
        "SELECT count(*) FROM {top} a JOIN generate_series(0, 50) b(v) ON a.value + b.v < 340003 AND a.w <> b.v::text"
    );
    assert_eq!(value(&fixture, &sql).await, "6");
    assert!(spilled(&fixture, "SELECT count(*) FROM (SELECT value, repeat").await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_spill_says_what_is_too_large() {
    for spills in [true, false] {
        let (fixture, _directory) = small(spills).await;
        let lists: Vec<_> = (0..30)
            .map(|part| {
                format!("cardinality(array_agg(v || repeat('x', 300)) FILTER (WHERE v % 30 = {part}))")
            })
            .collect();
        let sql = format!("SELECT {} FROM generate_series(1, 300000) t(v)", lists.join(", "));
        let refused = tokio::time::timeout(TIME_MAX, fixture.refusal(&sql)).await.unwrap();
        assert_eq!(refused.kind, QueryErrorKind::ResourcesExhausted, "{refused}");
    }
}
