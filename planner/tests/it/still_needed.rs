//! What DataFusion answers without us. Each statement is one that a rule or function of ours mends; when a test fails here,
//! upstream has mended it too, and ours can go.

use arrow::array::RecordBatch;
use datafusion::{
    error::Result,
    prelude::{SessionConfig, SessionContext},
};

/// Pumps with numbers for levels, valves with words.
const EVENTS: &str =
    "(VALUES ('pump', '3', 1.0), ('pump', '4', NULL), ('valve', 'high', NULL)) AS t(kind, level, latitude)";

#[tokio::test]
async fn conditions_do_not_guard_casts() {
    for sql in [
        "SELECT count(*) FROM {} WHERE kind = 'pump' AND level::int > 2",
        "SELECT sum(level::int) FILTER (WHERE kind = 'pump') FROM {} GROUP BY kind",
        "SELECT sum(level::int) FILTER (WHERE kind = 'pump') OVER () FROM {}",
        "SELECT sum(CASE WHEN kind = 'pump' AND level::int > 2 THEN 1 END) OVER () FROM {}",
        "SELECT count(*) FROM {} GROUP BY kind = 'pump' AND level::int > 2",
        "SELECT kind FROM {} ORDER BY kind = 'pump' AND level::int > 2",
        "SELECT count(*) FROM (VALUES ('pump')) AS p(kind) LEFT JOIN {} ON t.kind = p.kind AND level::int > 2",
        "SELECT count(*) FROM {} JOIN (VALUES ('pump')) AS p(kind) ON t.kind = p.kind WHERE level::int > 2",
    ] {
        assert!(plain(sql).await.is_err(), "rules::Guard… and Hold…: {sql}");
    }
}

#[tokio::test]
async fn computed_columns_that_can_be_null_are_called_a_bug() {
    let sql = "SELECT sum(CASE WHEN (latitude > 1) IS TRUE THEN 1 ELSE 0 END), count(CASE WHEN (latitude > 1) IS TRUE THEN 1 END) FROM {}";
    assert!(plain(sql).await.is_err(), "skip_physical_aggregate_schema_check");
}

#[tokio::test]
async fn columns_of_one_name_are_refused() {
    for sql in ["SELECT kind, kind FROM {}", "SELECT count(level::int), count(level::text) FROM {}"] {
        assert!(plain(sql).await.is_err(), "sql::distinct_names: {sql}");
    }
    let sql = "SELECT * FROM (SELECT t.kind, b.kind FROM {} JOIN (VALUES ('pump')) AS b(kind) ON t.kind = b.kind) AS c";
    let rows = plain(sql).await.unwrap();
    assert_eq!(rows[0].schema().field(1).name(), "kind:1", "sql::DerivedColumns");
}

#[tokio::test]
async fn rows_are_not_looked_for_in_subqueries() {
    let sql = "SELECT count(*) FROM {} WHERE (kind, level) IN (SELECT 'pump', '3')";
    assert!(plain(sql).await.is_err(), "sql::row_in");
}

#[tokio::test]
async fn patterns_are_those_of_regular_expressions_and_backslashes() {
    assert!(plain("SELECT kind LIKE 'p!%' ESCAPE '!' FROM {}").await.is_err(), "rules::PlainPatterns");
    let sql = "SELECT count(*) FROM {} WHERE kind SIMILAR TO 'pu%'";
    assert_eq!(first_value(&plain(sql).await.unwrap()), "0", "rules::PlainPatterns");
}

#[tokio::test]
async fn moments_are_not_those_that_are_announced() {
    let sql = "SELECT to_timestamp(concat('2024-01-0', level)) FROM {} WHERE kind = 'pump'";
    assert!(plain(sql).await.is_err(), "functions::moments");
    assert!(plain("SELECT TIMESTAMP '2024-07-01 18:00'").await.is_err(), "rules::WholeMoments");
    let sql = "SELECT to_char(TIMESTAMP '2024-07-01 18:00:00', 'YYYY')";
    assert_eq!(first_value(&plain(sql).await.unwrap()), "YYYY", "functions::to_char");
    let sql = "SELECT date_bin(INTERVAL '-1 hour', TIMESTAMP '2024-07-01 18:00:00')";
    assert!(plain(sql).await.is_ok(), "functions::date_bin");
    let sql = "SELECT count(*) FROM generate_series(arrow_cast('2024-01-01', 'Timestamp(Microsecond, None)'), TIMESTAMP '2024-01-02', INTERVAL '1 day')";
    assert!(plain(sql).await.is_err(), "functions::series");
}

#[tokio::test]
async fn intervals_are_not_multiplied_and_series_lose_hours() {
    for sql in
        ["SELECT INTERVAL '1 hour' * 3", "SELECT 3 * INTERVAL '1 hour'", "SELECT INTERVAL '1 hour' / 2"]
    {
        assert!(plain(sql).await.is_err(), "rules::IntervalArithmetic: {sql}");
    }
    let sql = "SELECT max(value)::text FROM generate_series(DATE '2025-06-01', DATE '2025-06-01' + INTERVAL '6 hours', INTERVAL '1 hour')";
    assert_eq!(first_value(&plain(sql).await.unwrap()), "2025-06-01T00:00:00", "rules::IntervalArithmetic");
    let sql = "SELECT count(*) FROM generate_series((SELECT 1), 3)";
    assert!(plain(sql).await.is_err(), "sql::series_subqueries");
}

#[tokio::test]
async fn casts_are_taken_for_what_they_cast() {
    let sql = "SELECT DISTINCT latitude::int FROM {} ORDER BY latitude::int";
    assert!(plain(sql).await.is_err(), "sql::distinct_order");
    let sql = "SELECT latitude::text, count(*) FROM {} GROUP BY latitude::text, latitude";
    assert!(plain(sql).await.is_err(), "sql::plan::refuse_twin_groups");
}

#[tokio::test]
async fn json_is_a_union_and_null_has_no_key() {
    let sql = r#"SELECT concat('{"k": ', level, '}')->'k' FROM {} WHERE kind = 'pump'"#;
    let rows = plain(sql).await.unwrap();
    assert!(rows[0].column(0).data_type().is_nested(), "rules::JsonAsText");
    let sql = "SELECT NULLIF(kind, 'pump') ? 'k' FROM {} WHERE kind = 'pump' LIMIT 1";
    assert_eq!(first_value(&plain(sql).await.unwrap()), "false", "functions::JsonContains");
}

async fn plain(sql: &str) -> Result<Vec<RecordBatch>> {
    let mut config = SessionConfig::new().with_target_partitions(1);
    config.options_mut().sql_parser.dialect = datafusion::common::config::Dialect::PostgreSQL;
    config.options_mut().execution.time_zone = Some("UTC".to_owned());
    let mut context = SessionContext::new_with_config(config);
    datafusion_functions_json::register_all(&mut context)?;
    context.sql(&sql.replace("{}", EVENTS)).await?.collect().await
}

fn first_value(rows: &[RecordBatch]) -> String {
    arrow::util::display::array_value_to_string(rows[0].column(0), 0).unwrap()
}
