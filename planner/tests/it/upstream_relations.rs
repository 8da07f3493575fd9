//! Faults of DataFusion that rules of ours mend, in DataFusion alone. When one of these tests fails, upstream has mended the fault:
//! the rule that it names can go.

use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;

/// What plain DataFusion answers; an error is an answer too.
async fn plain(sql: &str) -> String {
    let rows = async { SessionContext::new().sql(sql).await?.collect().await };
    match rows.await {
        Ok(rows) => pretty_format_batches(&rows).unwrap().to_string(),
        Err(error) => error.strip_backtrace(),
    }
}

async fn plain_count(sql: &str) -> usize {
    SessionContext::new().sql(sql).await.unwrap().count().await.unwrap()
}

#[tokio::test]
async fn not_in_a_list_with_null_is_taken_for_true_by_a_constant() {
    let sql = "SELECT x FROM (VALUES (1), (2)) t(x) WHERE 3 NOT IN (SELECT y FROM (VALUES (1), (NULL)) u(y))";
    assert_eq!(plain_count(sql).await, 2, "right: 0; rules/subqueries can leave NOT IN to DataFusion");
}

#[tokio::test]
async fn correlated_not_in_is_refused() {
    let sql = "SELECT x FROM (VALUES (1), (2)) t(x)
               WHERE x NOT IN (SELECT y FROM (VALUES (1, 1), (NULL, 2)) u(y, k) WHERE u.k = t.x)";
    let answer = plain(sql).await;
    assert!(
        answer.contains("only supports single column join key"),
        "{answer}: rules/subqueries can leave it"
    );
}

#[tokio::test]
async fn unknown_is_taken_for_false_by_in() {
    let sql = "SELECT x FROM (VALUES (1), (2)) t(x)
               WHERE (x IN (SELECT y FROM (VALUES (1), (NULL)) u(y))) IS NULL";
    assert_eq!(plain_count(sql).await, 0, "right: 1; rules/subqueries can leave IN to DataFusion");
}

#[tokio::test]
async fn a_count_of_nothing_is_no_row_for_exists() {
    let sql = "SELECT x FROM (VALUES (1), (2)) t(x)
               WHERE EXISTS (SELECT count(*) FROM (VALUES (1), (NULL)) u(y) WHERE y = x)";
    assert_eq!(plain_count(sql).await, 1, "right: 2; rules/subqueries can leave EXISTS to DataFusion");
}

#[tokio::test]
async fn exists_among_columns_is_not_supported() {
    let sql = "SELECT EXISTS (SELECT 1 FROM (VALUES (1)) u(y) WHERE y = x) FROM (VALUES (1), (2)) t(x)";
    let answer = plain(sql).await;
    assert!(
        answer.contains("does not support logical expression"),
        "{answer}: rules/subqueries can leave it"
    );
}

#[tokio::test]
async fn intersect_all_does_not_count() {
    let sql = "(SELECT 1 AS x UNION ALL SELECT 1) INTERSECT ALL (SELECT 1 AS x)";
    assert_eq!(plain_count(sql).await, 2, "right: 1; rules/counted_set_operations.rs can go");
}

#[tokio::test]
async fn lead_loses_count_of_nulls() {
    let sql = "SELECT LEAD(x, 2) IGNORE NULLS OVER (ORDER BY i) AS ahead FROM
               (VALUES (1, 10), (2, 20), (3, 30), (4, 40), (5, NULL), (6, NULL), (7, 70), (8, 80), (9, NULL)) t(i, x)";
    let found = plain(&format!("SELECT count(ahead) FROM ({sql}) q WHERE ahead = 70")).await;
    assert!(found.contains("| 0 "), "{found}: right is 1; functions/shift.rs can go");
}

#[tokio::test]
async fn the_inner_side_of_in_keeps_its_duplicates() {
    let sql = "SELECT x FROM (VALUES (1), (2)) t(x) WHERE x IN (SELECT y FROM (VALUES (1), (1)) u(y))";
    let plan = plain(&format!("EXPLAIN {sql}")).await;
    assert!(!plan.contains("Aggregate"), "{plan}: rules/distinct_inner_keys.rs can go");
}

#[tokio::test]
async fn the_lower_of_two_correlated_filters_is_forgotten() {
    let sql = "SELECT x FROM (VALUES (1), (2)) t(x) WHERE EXISTS (SELECT 1 FROM
               (SELECT * FROM (VALUES (1, 1), (NULL, 2)) u(y, k) WHERE u.k = t.x) q WHERE q.y = t.x)";
    let answer = plain(sql).await;
    assert!(
        answer.contains("No field named"),
        "{answer}: rules/subqueries can leave such filters to DataFusion"
    );
}

#[tokio::test]
async fn json_fields_below_joins_lose_their_names() {
    let mut context = SessionContext::new();
    datafusion_functions_json::register_all(&mut context).unwrap();
    let sql = "SELECT a.k FROM (VALUES ('{}', 1)) a(m, k) WHERE NOT EXISTS
               (SELECT 1 FROM (VALUES ('{}')) b(m) WHERE (a.m->>'s') = lower(b.m->>'s'))";
    let rows = async { context.sql(sql).await?.collect().await };
    let error = rows.await.unwrap_err().strip_backtrace();
    assert!(
        error.contains("__datafusion_extracted"),
        "{error}: set_engine_options can leave enable_leaf_expression_pushdown"
    );
}

#[tokio::test]
async fn keys_without_a_column_are_left_out_of_joins() {
    let sql = "SELECT count(*) FROM (VALUES (1), (2)) t(x) JOIN (VALUES (1), (2)) u(y)
               ON (y IN (1)) = (x IN (CAST(NULL AS BIGINT)))";
    let answer = plain(sql).await;
    assert!(answer.contains("| 4 "), "{answer}: rules/constant_join_keys.rs can go");
}

#[tokio::test]
async fn a_column_below_a_cast_is_taken_for_constant() {
    let sql = "SELECT x, y FROM (VALUES (1.5::double), (1.2::double)) t(x), (VALUES (1), (2)) u(y)
               WHERE CAST(x AS BIGINT) * y IS NOT NULL AND CAST(x AS BIGINT) = 1 ORDER BY x, y";
    let plan = plain(&format!("EXPLAIN {sql}")).await;
    assert!(!plan.contains("[x@0 ASC NULLS LAST, y@1"), "{plan}: rules/opaque_operands.rs can go");
}

#[tokio::test]
async fn a_constant_of_an_outer_join_is_taken_for_constant_above_it() {
    let sql = "SELECT x, c FROM (SELECT y, 5 AS c FROM (VALUES (1)) u(y)) v RIGHT JOIN (VALUES (1), (2)) t(x) ON x = y ORDER BY c, x";
    let plan = plain(&format!("EXPLAIN {sql}")).await;
    assert!(!plan.contains("SortExec: expr=[c@1"), "{plan}: rules/nullable_sides.rs can leave joins");
}

#[tokio::test]
async fn a_constant_is_taken_for_constant_above_rollup() {
    let sql = "SELECT c, x, count(*) FROM (SELECT 5 AS c, x FROM (VALUES (1), (2)) t(x)) q GROUP BY CUBE (c, x) ORDER BY c, x";
    let plan = plain(&format!("EXPLAIN {sql}")).await;
    assert!(!plan.contains("SortExec: expr=[c@0"), "{plan}: rules/nullable_sides.rs can leave grouping sets");
}
