//! JSON values in comparisons, arithmetic and casts.

use hexflight_planner::ScalarValue;

use crate::values_table::{expect, expect_kept, rows_of, ten_events};

#[tokio::test]
async fn json_numbers_compare_as_numbers() {
    expect_kept(
        &ten_events().await,
        &[
            ("metadata->'n' < 20", "0 6 9"),
            ("metadata->'n' > 10", "0 1 7"),
            ("metadata->'n' >= 19.5", "0 1 7"),
            ("metadata->'n' = 25.0", "1"),
            ("metadata->'n' = -3", "6"),
            ("metadata->'n' <> 25", "0 6 7 9"),
            ("NOT (metadata->'n' < 20)", "1 7"),
            ("20 > metadata->'n'", "0 6 9"),
            ("metadata->'n' BETWEEN 19 AND 26", "0 1"),
            ("metadata->'n' NOT BETWEEN 19 AND 26.5", "6 7 9"),
            ("metadata->'n' IN (25, 19.5)", "0 1"),
            ("metadata->'n' NOT IN (25, 19.5)", "6 7 9"),
            ("metadata->'n' IN (25, 9007199254740993, 0)", "1 9"),
            ("metadata->'n' IS DISTINCT FROM 25", "0 2 3 4 5 6 7 8 9"),
            ("metadata->'n' IS NOT DISTINCT FROM 25.0", "1"),
            ("metadata->'a'->'n' >= 5", "0 1"),
            ("(metadata->'a')->'n' = 5", "0"),
            ("metadata #> '{a,n}' < 5.5", "0"),
            ("metadata #> '{n}' = 25", "1"),
            ("metadata->'n' < value", "6 9"),
            ("metadata->'n' > longitude", "0 1 6 7 9"),
            ("value < metadata->'n'", "0 1 7"),
            ("value BETWEEN metadata->'n' AND 100", "6 9"),
            ("value IN (metadata->'n', 1)", "3"),
            ("metadata->'n' = metadata->'m'", "6"),
            ("(metadata->'n') + 1 > 20", "0 1 7"),
            ("CASE metadata->'n' WHEN 25 THEN true WHEN 19.5 THEN true ELSE false END", "0 1"),
        ],
    )
    .await;
}

#[tokio::test]
async fn large_whole_numbers_are_exact() {
    expect_kept(
        &ten_events().await,
        &[
            ("metadata->'id' = 9007199254740993", "1"),
            ("metadata->'id' > 9007199254740992", "0 1"),
            ("metadata->'id' = 9007199254740992", ""),
            ("metadata->'id' = 12345678901234567890", "0"),
            ("metadata->'id' < 12345678901234567890", "1 2 3 7 9"),
            ("metadata->'id' = value::bigint", ""),
            ("metadata->'n' = (value - 7)::bigint", "6 9"),
        ],
    )
    .await;
}

#[tokio::test]
async fn other_json_values_compare_with_their_kind() {
    expect_kept(
        &ten_events().await,
        &[
            ("metadata->'site' = 'x'", "0 6"),
            ("metadata->'site' IN ('x', 'z')", "0 6 9"),
            ("metadata->'site' > 'x'", "1 9"),
            ("metadata->'site' LIKE 'x%'", "0 6"),
            ("metadata->'site' ~ '[xy]'", "0 1 6"),
            ("metadata->'b' = true", "0"),
            ("metadata->'b' <> true", "1"),
            ("metadata->'n' = '25'", "2"),
            ("metadata->'t' > TIMESTAMP '2024-05-01 09:00:00'", "0"),
        ],
    )
    .await;
}

#[tokio::test]
async fn json_values_of_a_subquery_compare_too() {
    let fixture = ten_events().await;
    expect(
        &fixture,
        &[
            ("SELECT count(*) FROM (SELECT metadata->'n' AS n FROM events) WHERE n < 20", "3"),
            ("SELECT count(*) FROM (SELECT metadata->'site' AS s FROM events) WHERE s = 'x'", "2"),
            ("SELECT count(*) FROM events WHERE value IN (SELECT value FROM events WHERE metadata->'n' >= 19.5)", "3"),
            ("SELECT count(*) FROM events WHERE metadata->'n' IN (SELECT value + 18 FROM events)", "1"),
            ("SELECT metadata #>> '{a,n}', '[7, {\"k\": 8}]' #>> '{1,k}' FROM events ORDER BY timestamp LIMIT 2", "5 8; 5.5 8"),
            ("SELECT count(*) FILTER (WHERE metadata->'n' < 20), sum(CASE WHEN metadata->'n' > 0.5 THEN 1 END) FROM events", "3 3"),
            ("SELECT device_id FROM events WHERE metadata->'n' IS NOT NULL ORDER BY metadata->'n' LIMIT 4", "d6; d9; d0; d1"),
        ],
    )
    .await;
}

#[tokio::test]
async fn bound_numbers_compare_as_literals_do() {
    let fixture = ten_events().await;
    for (condition, value, expected) in [
        ("metadata->'n' < $1", ScalarValue::from(20_i64), "3"),
        ("metadata->'n' < $1", ScalarValue::from(20.0), "3"),
        ("metadata->'n' = $1", ScalarValue::from(25.0), "1"),
        ("$1 <= metadata->'n'", ScalarValue::from(19.5), "3"),
        ("metadata->'id' = $1", ScalarValue::from(9_007_199_254_740_993_i64), "1"),
        ("metadata->'site' = $1", ScalarValue::from("x"), "2"),
        ("metadata->'n' BETWEEN 19 AND $1", ScalarValue::from(26_i64), "2"),
    ] {
        let sql = format!("SELECT count(*) FROM events WHERE {condition}");
        assert_eq!(rows_of(&fixture, &sql, vec![value]).await, expected, "{condition}");
    }
}

#[tokio::test]
async fn casts_of_json_keep_every_digit() {
    let ids = |cast: &str| format!("SELECT {cast} FROM events ORDER BY timestamp");
    let (decimal, wide, unsigned) = (
        ids("CAST(metadata->'id' AS DECIMAL(20,0))"),
        ids("(metadata->'id')::DECIMAL(38,2)"),
        ids("(metadata->'id')::BIGINT UNSIGNED"),
    );
    expect(
        &ten_events().await,
        &[
            (&decimal, "12345678901234567890; 9007199254740993; 1; 1000; ; ; 77; 0; ; 0"),
            (&wide, "12345678901234567890.00; 9007199254740993.00; 1.10; 1000.00; ; ; 77.00; 0.10; ; 0.00"),
            (&unsigned, "12345678901234567890; 9007199254740993; 1; 1000; ; ; 77; 0; ; 0"),
            ("SELECT (metadata->'n')::smallint FROM events WHERE metadata->'n' < 30 ORDER BY timestamp", "20; 25; -3; 0"),
            ("SELECT (metadata->'t')::timestamp < '2024-05-01 10:00:01' FROM events ORDER BY timestamp LIMIT 3", "true; true; "),
            ("SELECT (metadata->'t')::date FROM events ORDER BY timestamp LIMIT 2", "2024-05-01; 2024-05-01"),
        ],
    )
    .await;
}

#[tokio::test]
async fn casts_of_json_to_whole_numbers_are_exact_or_refused() {
    let fixture = ten_events().await;
    for (json, data_type, expected) in [
        ("9223372036854775807", "BIGINT", "9223372036854775807"),
        ("-9223372036854775808.0", "BIGINT", "-9223372036854775808"),
        ("1e3", "INT", "1000"),
        ("1.0", "SMALLINT", "1"),
        ("12.5", "BIGINT", "13"),
        ("-12.5", "INT", "-13"),
        (r#""12""#, "BIGINT", "12"),
        (r#""abc""#, "BIGINT", ""),
        ("null", "BIGINT", ""),
        ("1e-400", "BIGINT", "0"),
        ("1e-400", "DECIMAL(5,2)", "0.00"),
        (LONG, "DECIMAL(5,2)", "0.10"),
        (LONG, "INT", "0"),
        ("18446744073709551615", "BIGINT UNSIGNED", "18446744073709551615"),
    ] {
        for sql in cast_in_every_way(json, data_type) {
            assert_eq!(fixture.value(&sql).await, expected, "{sql}");
        }
    }
    for (json, data_type, named) in [
        ("99999999999999999999", "BIGINT", "'99999999999999999999'"),
        ("-9223372036854775809", "BIGINT", "'-9223372036854775809'"),
        ("9223372036854775807.5", "BIGINT", "'9223372036854775808'"),
        ("1e30", "BIGINT", "'1000000000000000000000000000000'"),
        ("1e400", "BIGINT", "'1e400'"),
        ("1e99999999999999999999", "INT", "'1e99999999999999999999'"),
        ("99999999999999999999", "INT", "'99999999999999999999'"),
        ("3000000000", "INT", "'3000000000'"),
        ("99999", "SMALLINT", "'99999'"),
        ("-1", "BIGINT UNSIGNED", "'-1'"),
        (r#""99999999999999999999""#, "BIGINT", "'99999999999999999999'"),
    ] {
        for sql in cast_in_every_way(json, data_type) {
            let message = fixture.refusal(&sql).await.message;
            assert!(message.contains(named), "{sql}: {message}");
        }
        let tried = format!("SELECT TRY_CAST('{{\"k\": {json}}}' -> 'k' AS {data_type})");
        assert_eq!(fixture.value(&tried).await, "", "{tried}");
    }
}

/// More digits than any decimal has.
const LONG: &str =
    "0.1000000000000000055511151231257827021181583404541015625000000000000000000000000000000001";

/// The same cast of a look-up, of a column of a subquery, and beside another column of the same name.
fn cast_in_every_way(json: &str, data_type: &str) -> [String; 3] {
    let look = format!("'{{\"k\": {json}}}' -> 'k'");
    [
        format!("SELECT ({look})::{data_type}"),
        format!("SELECT j::{data_type} FROM (SELECT {look} AS j)"),
        format!("SELECT CAST({look} AS {data_type}), CAST({look} AS {data_type})"),
    ]
}
