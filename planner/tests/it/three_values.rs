//! Null, negative zero and NaN, where DataFusion's simplification gives another answer than the rows would.

use crate::values_table::{expect, expect_kept, ten_events};

/// Latitude 10 is row 1, 20 row 2; rows 4 and 5 have none.
#[tokio::test]
async fn lists_on_one_column_keep_null_unknown() {
    expect_kept(
        &ten_events().await,
        &[
            ("latitude NOT IN (10) OR latitude NOT IN (20)", "0 1 2 3 6 7 8 9"),
            ("latitude NOT IN (10, 20, 30, 40) OR latitude NOT IN (50, 60, 70, 80)", "0 1 2 3 6 7 8 9"),
            ("NOT (latitude IN (10, 20, 30, 40) AND latitude IN (50, 60, 70, 80))", "0 1 2 3 6 7 8 9"),
            (
                "NOT ((latitude = 10 OR latitude = 20) AND (latitude = 30 OR latitude = 60))",
                "0 1 2 3 6 7 8 9",
            ),
            ("type IN ('a', 'b') AND type NOT IN ('c', NULL)", ""),
            ("NOT (type IN ('a', 'b') AND type NOT IN ('c', NULL))", "2 5 8"),
            ("latitude IN (10, 20, 30, 60) AND latitude NOT IN (20, NULL)", ""),
            ("latitude IN (10, 20, 30, 60) AND latitude NOT IN (20, 70, 80, 90)", "1 3 6"),
            ("latitude IN (10, 20, 30, 60) AND latitude IN (20, 60, 80, 90)", "2 6"),
            ("latitude IN (10, 20) OR latitude IN (30, 60)", "1 2 3 6"),
            ("latitude = 10 OR latitude = 20 OR latitude IN (30, 60, 70, 80)", "1 2 3 6 7 8"),
            ("latitude NOT IN (10, 20) AND latitude NOT IN (30, 60)", "0 7 8 9"),
            ("latitude IN (-longitude) AND latitude IN (-longitude * 1.0)", "0 1 2 3 6 7 8 9"),
            ("latitude IN (10, 20) AND (value > 100 OR latitude NOT IN (20, NULL))", ""),
            ("(latitude NOT IN (10) OR latitude NOT IN (20)) IS NULL", "4 5"),
            ("lower(type) NOT IN ('a') OR lower(type) NOT IN ('b')", "0 1 2 3 4 5 6 7 8 9"),
        ],
    )
    .await;
    let nested =
        "SELECT count(*) FROM (SELECT * FROM events WHERE type IN ('a', 'b')) WHERE type NOT IN ('c', NULL)";
    expect(&ten_events().await, &[(nested, "0")]).await;
}

/// Members of a list that are computed from the row, among constants.
#[tokio::test]
async fn members_that_are_no_constants_are_asked_for_each_row() {
    let fixture = ten_events().await;
    expect_kept(
        &fixture,
        &[
            ("type NOT IN ('x', 'y', CASE WHEN value > 3 THEN 'a' END)", "7 8"),
            ("type IN ('x', 'y', 'z', CASE WHEN value > 3 THEN 'a' END)", "6 9"),
            ("type IN ('x', 'y', coalesce(nullif(type, 'b'), 'q'))", "0 2 3 5 6 8 9"),
            ("'' NOT IN ('d3', 'd4', CASE WHEN value <= 0 THEN 'b' END)", "0 1 2"),
            ("NOT ('b' IN ('d3', 'd4', CASE WHEN value <= 0 THEN 'b' END, NULL))", ""),
            ("value IN (100, 101, 102, CASE WHEN type = 'a' THEN value END, -1)", "0 1 3 6 9"),
            ("value IN (100, 101, coalesce((SELECT max(e.value) FROM events e WHERE e.type = events.type), 0))", "7 8 9"),
            ("(type IN ('x', 'y', CASE WHEN value > 3 THEN 'a' END)) IS NULL", "0 1 2 3 4 5"),
        ],
    )
    .await;
}

/// What is constant on one side of a join's key is a condition of the join.
#[tokio::test]
async fn keys_of_a_join_may_turn_out_to_be_constant() {
    let pairs = |condition: &str| format!("SELECT count(*) FROM events a JOIN events b ON {condition}");
    let fixture = ten_events().await;
    for (condition, count) in [
        ("(b.type IN ('a')) = (a.latitude IN (CAST(NULL AS DOUBLE)))", "0"),
        ("(b.type IN ('a')) = (a.value IN (a.value))", "40"),
        ("(b.type IN ('a')) IS NOT DISTINCT FROM (a.latitude IN (CAST(NULL AS DOUBLE)))", "0"),
        ("a.device_id = b.device_id AND (b.type IN ('a')) = (a.latitude IN (CAST(NULL AS DOUBLE)))", "0"),
    ] {
        expect(&fixture, &[(&pairs(condition), count)]).await;
    }
    let last = "SELECT count(*) FROM (SELECT (SELECT b.value FROM events b WHERE (b.type IN ('a')) = (a.latitude IN (NULL)) \
                ORDER BY b.timestamp LIMIT 1) AS v FROM events a) WHERE v IS NOT NULL";
    let lateral = "SELECT count(*) FROM events a LEFT JOIN LATERAL (SELECT b.* FROM events b \
                   WHERE (CAST(a.metadata->>'b' AS BOOLEAN)) = (b.latitude IN (CAST(NULL AS DOUBLE)))) b ON true";
    let left = "SELECT count(*) FROM events a LEFT JOIN events b ON (a.value > 3) = (b.latitude IN (CAST(NULL AS DOUBLE)))";
    let full = "SELECT count(*) FROM events a FULL JOIN events b ON (a.value > 3) = (b.latitude IN (CAST(NULL AS DOUBLE)))";
    expect(&fixture, &[(last, "0"), (lateral, "10"), (left, "10"), (full, "20")]).await;
}

/// The count is constant, which makes the column constant that the window is partitioned by.
#[tokio::test]
async fn an_answer_from_rollups_is_constant_for_windows_above() {
    let sql = "SELECT count(*) FROM events a WHERE a.latitude = ALL (SELECT b.latitude FROM events b \
               WHERE a.longitude IN (SELECT count(c.value) FROM events c WHERE c.latitude IS NOT NULL))";
    expect(&ten_events().await, &[(sql, "10")]).await;
}

/// `-longitude` is `-0` in the first row, and rows 4 and 5 have no position.
#[tokio::test]
async fn a_member_of_a_subquery_has_one_zero() {
    expect_kept(
        &ten_events().await,
        &[
            ("-longitude IN (SELECT b.latitude FROM events b)", "0 1 2 3 6 7 8 9"),
            ("latitude * -1e0 IN (SELECT b.longitude FROM events b)", "0 1 2 3 6 7 8 9"),
            ("-longitude NOT IN (SELECT b.latitude FROM events b WHERE b.latitude < 5)", "1 2 3 6 7 8 9"),
            ("-longitude = ANY (SELECT b.latitude FROM events b)", "0 1 2 3 6 7 8 9"),
            ("-longitude <> ALL (SELECT b.latitude FROM events b WHERE b.latitude < 5)", "1 2 3 6 7 8 9"),
            ("latitude IN (SELECT -b.longitude FROM events b)", "0 1 2 3 6 7 8 9"),
        ],
    )
    .await;
}

/// Rows where longitude is minus latitude: `-latitude` is `-0` in the first.
#[tokio::test]
async fn a_case_has_one_zero() {
    expect_kept(
        &ten_events().await,
        &[
            ("CASE latitude WHEN (-latitude) THEN true ELSE false END", "0"),
            ("CASE -latitude WHEN latitude * 1.0 THEN true ELSE false END", "0"),
            (
                "CASE (latitude - latitude) WHEN (-1.0 * (latitude - latitude)) THEN value > 4 ELSE true END",
                "4 5 7 8 9",
            ),
            ("CASE value WHEN 1 THEN true WHEN (value * -0.0) THEN true ELSE false END", "2 3"),
        ],
    )
    .await;
}

/// Arguments that turn out to be null only when the statement is simplified.
#[tokio::test]
async fn a_call_may_lose_all_its_arguments() {
    let sql = |condition: &str| format!("SELECT count(*) FROM events WHERE {condition}");
    let fixture = ten_events().await;
    for condition in [
        "concat(device_id || NULL, NULL) = ''",
        "concat('', device_id || NULL::VARCHAR) = ''",
        "concat_ws(',', device_id || NULL, NULL::VARCHAR) = ''",
        "concat_ws('', device_id || NULL, NULL::VARCHAR) = ''",
        "concat_ws(',', 'a', device_id || NULL, 'b') = 'a,b'",
        "concat_ws(device_id || NULL, type, 'b') IS NULL",
    ] {
        expect(&fixture, &[(&sql(condition), "10")]).await;
    }
}

#[tokio::test]
async fn a_double_has_one_zero() {
    let fixture = ten_events().await;
    expect(
        &fixture,
        &[
            ("SELECT count(*) FROM events WHERE (-4.0*0) IN (10.0, 0.0) AND (-4.0*0) NOT IN (10.0)", "10"),
            ("SELECT -(0.0) IN (0.0, 5.0), -0.0 IN (5.0, 0.0, 6.0, 7.0), 0.0 IN (5.0, -0.0, 6.0, 7.0)", "true true true"),
            ("SELECT count(*) FROM events WHERE value IN (-0.0, 30, 40, 50, 60)", "1"),
            ("SELECT count(*) FROM events WHERE -value IN (0.0, 30, 40, 50, 60)", "1"),
            ("SELECT count(*) FROM events WHERE value = 0.0 AND value = -0.0", "1"),
            ("SELECT count(*) FROM events WHERE value = 0.0 AND value <> -0.0", "0"),
            ("SELECT count(*) FROM events WHERE value IN (-0.0, 1) AND value NOT IN (0.0)", "1"),
            ("SELECT count(*) FROM events WHERE CASE -(value * 0) WHEN 0 THEN true ELSE false END", "10"),
            ("SELECT count(DISTINCT value * 0) FROM events", "1"),
            ("SELECT count(*) FROM (SELECT row_number() OVER (PARTITION BY value * 0) r FROM events) WHERE r = 1", "1"),
            ("SELECT DISTINCT value * 0 FROM events", "0.0"),
            ("SELECT count(*) FROM (SELECT -value * 0 AS x FROM events) WHERE x IN (10.0, 0.0, 20, 30, 40)", "10"),
            ("SELECT count(*) FROM events WHERE round(value / 100) IN (0.0, 7, 8, 9, 10)", "10"),
            ("SELECT -0.0", "0.0"),
        ],
    )
    .await;
}

#[tokio::test]
async fn nan_is_above_all_numbers_whatever_its_sign() {
    let fixture = ten_events().await;
    expect(
        &fixture,
        &[
            ("SELECT 'NaN'::double > 1.0, 0.0/0.0 > 1.0, 0.0/0.0 = 'NaN'::double, -('NaN'::double) > 1.0", "true true true true"),
            ("SELECT count(*) FROM events WHERE value * 0 / 0 > 1", "10"),
            ("SELECT count(*) FROM events WHERE value * 0 / 0 < 1", "0"),
            ("SELECT count(*) FROM events WHERE 5.0 BETWEEN 1.0 AND value * 0 / 0", "10"),
            ("SELECT count(*) FROM events WHERE value * 0 / 0 BETWEEN -1e300 AND 1e300", "0"),
            ("SELECT x FROM (SELECT value * 0 / 0 AS x FROM events LIMIT 1) UNION ALL SELECT 1.0 ORDER BY 1", "1.0; NaN"),
            ("SELECT min(x) FROM (SELECT value * 0 / 0 AS x FROM events UNION ALL SELECT 1.0)", "1.0"),
        ],
    )
    .await;
}

#[tokio::test]
async fn bits_of_negative_numbers_are_not_folded() {
    expect(
        &ten_events().await,
        &[
            ("SELECT sum(value::int & -(value::int)) FROM events", "15"),
            ("SELECT value::int & -(value::int) FROM events ORDER BY timestamp LIMIT 5", "2; 1; 0; 1; 2"),
            ("SELECT -(value::int & 6) FROM events ORDER BY timestamp DESC LIMIT 2", "-6; -6"),
            ("SELECT latitude::int # latitude::int FROM events ORDER BY timestamp LIMIT 5", "0; 0; 0; 0; "),
        ],
    )
    .await;
}

#[tokio::test]
async fn random_numbers_are_drawn_once() {
    let fixture = ten_events().await;
    let share =
        |condition: &str| format!("SELECT count(*) FROM generate_series(1, 20000) AS t(i) WHERE {condition}");
    for (condition, expected) in [
        ("random() BETWEEN .4 AND .6", 4_000),
        ("random() NOT BETWEEN .4 AND .6", 16_000),
        ("NOT (random() NOT BETWEEN .4 AND .6)", 4_000),
        ("floor(random() * 10) = 3", 2_000),
        ("floor(random() * 4) IN (0, 1)", 10_000),
        ("coalesce(nullif(round(random()), 1), 5) >= 0", 20_000),
        ("CASE WHEN random() < 0.5 THEN i > 0 ELSE i > 0 END", 20_000),
        ("CASE floor(random() * 2) WHEN 0 THEN i > 0 WHEN 1 THEN i < 0 END", 10_000),
    ] {
        let count: i64 = fixture.value(&share(condition)).await.parse().unwrap();
        // Ten standard deviations of 20,000 fair coins.
        assert!((count - expected).abs() < 750, "{condition}: {count}");
    }
}

#[tokio::test]
async fn a_zero_with_a_sign_is_found_by_joins_and_nullif() {
    let fixture = ten_events().await;
    fixture.engine.flush().await.unwrap();
    expect(
        &fixture,
        &[
            ("SELECT count(*) FROM events WHERE value*0 IN (SELECT 0.0)", "10"),
            ("SELECT count(*) FROM events WHERE -abs(value)*0 = ANY (SELECT 0.0)", "10"),
            ("SELECT count(*) FROM events WHERE NULLIF(-abs(value)*0, 0.0) IS NULL", "10"),
        ],
    )
    .await;
}

/// The fifth and sixth event have no latitude. Expected is what PostgreSQL answers.
#[tokio::test]
async fn rows_with_nulls_are_neither_in_nor_out() {
    let fixture = ten_events().await;
    expect_kept(
        &fixture,
        &[
            ("(device_id, latitude) IN (SELECT device_id, latitude FROM events)", "0 1 2 3 6 7 8 9"),
            (
                "(device_id, latitude) NOT IN (SELECT device_id, latitude FROM events WHERE value > 4)",
                "0 1 2 3 4 5 6",
            ),
            ("NOT ((device_id, latitude) IN (SELECT device_id, latitude FROM events))", ""),
            (
                "NOT ((device_id, latitude) NOT IN (SELECT device_id, latitude FROM events))",
                "0 1 2 3 6 7 8 9",
            ),
            ("((device_id, latitude) IN (SELECT device_id, latitude FROM events)) IS NULL", "4 5"),
            ("((type, latitude) NOT IN (SELECT 'b', 10.0)) IS NULL", "4"),
            ("(type, 0) NOT IN (SELECT 'a', NULL)", "1 2 4 5 7 8"),
            // A subquery without rows is NULL, though its column is not.
            (
                "((SELECT b.type FROM events b WHERE b.value > events.value + 7 ORDER BY b.value LIMIT 1) NOT IN ('a', 'b', 'c')) IS NOT FALSE",
                "2 3 4 5 6 7 8 9",
            ),
            ("((SELECT b.type FROM events b WHERE b.value > 100 LIMIT 1) = 'a') IS NOT FALSE", "0 1 2 3 4 5 6 7 8 9"),
            (
                "value < 0 OR (device_id, type) NOT IN (SELECT device_id, type FROM events WHERE value > 3)",
                "0 1 2 3 4 5",
            ),
        ],
    )
    .await;
    expect(
        &fixture,
        &[("SELECT (1, NULL::int) NOT IN (SELECT 1, 2), (1, NULL::int) IN (SELECT 2, 2), (1, 2) IN (SELECT 1, 2)", " false true")],
    )
    .await;
}

#[tokio::test]
async fn rows_that_are_not_looked_for_are_looked_up() {
    let fixture = ten_events().await;
    for row in ["(device_id, type)", "(device_id, latitude)"] {
        let sql =
            format!("EXPLAIN SELECT 1 FROM events WHERE {row} NOT IN (SELECT device_id, type FROM events)");
        let sql = sql.replace(
            "latitude) NOT IN (SELECT device_id, type",
            "latitude) NOT IN (SELECT device_id, longitude",
        );
        let plan = fixture.table(&sql).await;
        assert!(plan.contains("HashJoinExec") && !plan.contains("NestedLoopJoinExec"), "{plan}");
    }
}
