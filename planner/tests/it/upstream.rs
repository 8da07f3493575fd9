//! What DataFusion answers by itself. Each test fails once it has been mended there, and says which rule of ours can go then.

use arrow::{array::RecordBatch, util::display::array_value_to_string};
use datafusion::prelude::SessionContext;

/// The table `t` has a row for each of 1, 2 and null.
async fn alone(sql: &str) -> Result<String, String> {
    let text = |error: datafusion::error::DataFusionError| error.to_string();
    let mut context = SessionContext::new();
    datafusion_functions_json::register_all(&mut context).map_err(text)?;
    let table =
        "CREATE TABLE t AS SELECT column1 AS x, column2 AS f FROM (VALUES (1, 1.0), (2, -0.0), (NULL, 0.0))";
    context.sql(table).await.map_err(text)?.collect().await.map_err(text)?;
    let batches = context.sql(sql).await.map_err(text)?.collect().await.map_err(text)?;
    let rows = batches.iter().flat_map(rows);
    Ok(rows.collect::<Vec<_>>().join("; "))
}

fn rows(batch: &RecordBatch) -> Vec<String> {
    let cells =
        |row: usize| batch.columns().iter().map(move |column| array_value_to_string(column, row).unwrap());
    (0..batch.num_rows()).map(|row| cells(row).collect::<Vec<_>>().join(" ")).collect()
}

async fn still_wrong(rule: &str, right: &str, sql: &str) {
    let found = alone(sql).await;
    assert_ne!(found.as_deref(), Ok(right), "DataFusion answers this by itself: {rule} can go: {sql}");
}

#[tokio::test]
async fn lists_are_still_merged_wrongly() {
    let rule = "rules::ListsApart";
    still_wrong(rule, "2", "SELECT count(*) FROM t WHERE x NOT IN (1) OR x NOT IN (2)").await;
    still_wrong(rule, "0", "SELECT count(*) FROM t WHERE x IN (1, 2) AND x NOT IN (3, NULL)").await;
    still_wrong(rule, "1", "SELECT count(*) FROM t WHERE (NOT (x IN (1) AND x IN (2))) IS NULL").await;
}

#[tokio::test]
async fn computed_members_of_lists_are_still_taken_for_constants() {
    let sql = "SELECT count(*) FROM t WHERE 3 NOT IN (4, 5, 6, CASE WHEN x > 1 THEN 7 END)";
    still_wrong("rules::OpenLists", "1", sql).await;
}

#[tokio::test]
async fn calls_still_lose_all_their_arguments() {
    let sql = "SELECT count(*) FROM t WHERE concat(x || NULL, NULL) = ''";
    still_wrong("functions::unsimplified", "3", sql).await;
}

#[tokio::test]
async fn doubles_still_have_two_zeros() {
    let rule = "rules::PlainFloats";
    still_wrong(rule, "2", "SELECT count(*) FROM t WHERE f IN (0.0, 5.0, 6.0, 7.0)").await;
    still_wrong(rule, "3", "SELECT count(*) FROM t WHERE (-4.0*0) IN (10.0, 0.0) AND (-4.0*0) NOT IN (10.0)")
        .await;
    still_wrong(rule, "true", "SELECT 0.0/0.0 > 1.0").await;
}

#[tokio::test]
async fn a_sign_is_still_taken_for_a_bitwise_not() {
    let sql = "SELECT y & -y FROM (SELECT coalesce(x, 6) AS y FROM t) ORDER BY y";
    still_wrong("rules::BitwiseSigns", "1; 2; 2", sql).await;
}

#[tokio::test]
async fn a_date_still_swallows_hours() {
    let sql = "SELECT DATE '2025-06-01' + INTERVAL '3 hours' > DATE '2025-06-01'";
    still_wrong("rules::DateArithmetic", "true", sql).await;
}

#[tokio::test]
async fn far_moments_still_fail() {
    let sql = "SELECT arrow_cast(0, 'Timestamp(Microsecond, Some(\"UTC\"))') < '9999-12-31'";
    still_wrong("rules::FarMoments", "true", sql).await;
}

#[tokio::test]
async fn a_time_zone_is_still_only_shown() {
    let sql = "SELECT (arrow_cast(0, 'Timestamp(Microsecond, Some(\"UTC\"))') AT TIME ZONE 'Asia/Tokyo')::timestamp";
    still_wrong("functions::timezone", "1970-01-01T09:00:00", sql).await;
}

#[tokio::test]
async fn random_numbers_are_still_drawn_twice() {
    let sql = "SELECT count(*) < 3000 FROM generate_series(1, 10000) WHERE random() BETWEEN .4 AND .6";
    still_wrong("rules::VolatileOnce", "true", sql).await;
}

#[tokio::test]
async fn partial_sums_still_leave_the_range() {
    let sql = "SELECT avg(v) FROM (VALUES (1e308), (1e308), (1e308)) AS t(v)";
    still_wrong("functions::wide_aggregates", "1e308", sql).await;
}

#[tokio::test]
async fn is_distinct_from_still_takes_in_what_follows() {
    assert!(
        alone("SELECT 1 IS DISTINCT FROM 1 AND true").await.is_err(),
        "sqlparser ends IS DISTINCT FROM at AND: HexflightDialect::parse_infix can go"
    );
}

#[tokio::test]
async fn json_numbers_are_still_told_apart_by_their_spelling() {
    still_wrong("rules::JsonValues", "true", "SELECT json_get('{\"n\": 19.5}', 'n') < 20").await;
    let cast = "SELECT CAST(json_get('{\"n\": 12345678901234567890}', 'n') AS DECIMAL(20,0))";
    still_wrong("rules::JsonCasts", "12345678901234567890", cast).await;
}

#[tokio::test]
async fn numbers_beyond_an_integer_are_still_null() {
    let cast = "SELECT CAST(json_get('{\"n\": 99999999999999999999}', 'n') AS BIGINT)";
    assert!(alone(cast).await.is_ok(), "such a cast fails: the integers of rules::JsonCasts can go");
}

#[tokio::test]
async fn spreads_still_subtract_what_leaves_a_window() {
    let rule = "functions::sliding_spread";
    let spread = |call: &str| {
        format!(
            "SELECT {call} OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM (VALUES (1, 1e15), (2, 1.0), (3, 2.0)) AS t(i, v) ORDER BY i DESC LIMIT 1"
        )
    };
    still_wrong(rule, "0.5", &spread("var(v)")).await;
    still_wrong(rule, "0.5", &spread("covar_samp(v, v)")).await;
    still_wrong(rule, "0.5", &spread("regr_syy(v, i)")).await;
    let groups = "SELECT corr(v, v) FROM (VALUES (1, 1e9), (1, 1e9 + 7), (1, 1e9 + 15), (2, 1.0)) AS t(g, v) GROUP BY g ORDER BY g LIMIT 1";
    still_wrong("corr in functions::spread_aggregates", "1.0", groups).await;
}

#[tokio::test]
async fn rows_without_a_key_are_still_answered_before_all_have_come() {
    let sql = "SELECT count(DISTINCT c) FROM (SELECT count(*) OVER (ORDER BY x RANGE BETWEEN 1 PRECEDING AND 1 PRECEDING) AS c
               FROM (SELECT CASE WHEN v < 0 THEN v END AS x FROM generate_series(1, 50000) s(v)) r) q";
    still_wrong("rules::NullPeers", "1", sql).await;
}
