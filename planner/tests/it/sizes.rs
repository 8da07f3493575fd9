//! Values that a few letters ask for and no process can hold: each is refused before it is built, and what is ordinary is as it was.

use std::time::Duration;

use hexflight_engine::EngineOptions;
use hexflight_planner::{QueryErrorKind, QueryOptions};
use insta::assert_snapshot;

use crate::support::{Fixture, START, check, event, random_events};

/// Far above what a refusal takes unoptimised; what is refused takes minutes or all memory.
const TIME_MAX: Duration = Duration::from_secs(20);

#[tokio::test]
async fn values_beyond_all_bounds_are_refused_before_they_are_built() {
    let fixture = fixture().await;
    fixture.all_too_large(&TOO_LARGE, TIME_MAX).await;
    let peak = fixture.engine.budget().peak();
    assert!(peak < 600 << 20, "{peak}");
}

/// One per line.
const TOO_LARGE: [&str; 63] = [
    "SELECT repeat('x', 1000000000)",
    "SELECT length(repeat('x', 1000000000))",
    "SELECT repeat(type, 1000000000) FROM events",
    "SELECT repeat(type, (value * 1000000)::bigint) FROM events",
    "SELECT count(*) FROM events WHERE length(repeat(type, 1000000000)) > 1",
    "SELECT max(length(repeat(type, 100000000))) FROM events",
    "SELECT 1 FROM events ORDER BY repeat(type, 1000000000)",
    "SELECT count(*) FROM events GROUP BY repeat(type, 1000000000)",
    "SELECT repeat(repeat('x', 10000), 10000)",
    "SELECT repeat(repeat(type, 10000), 10000) FROM events",
    "SELECT repeat('x', n) FROM (SELECT 1000000000 AS n UNION ALL SELECT 1) AS t",
    "SELECT CASE WHEN value > -1000 THEN repeat('x', 1000000000) ELSE 'y' END FROM events",
    "SELECT concat(a, a, a, a) FROM (SELECT repeat('x', 60000000) AS a) AS t",
    "SELECT concat_ws(a, a, a, a) FROM (SELECT repeat('x', 60000000) AS a) AS t",
    "SELECT a || a FROM (SELECT repeat('x', 60000000) AS a) AS t",
    "SELECT repeat(type, 4000000) || repeat(type, 4000000) FROM events LIMIT 1",
    "SELECT repeat('x', 60000000) || repeat('y', 60000000)",
    "SELECT 'a' || repeat('x', 60000000) || 'b' || repeat('y', 60000000) || 'c'",
    "SELECT lpad('x', 2000000000, 'y')",
    "SELECT rpad('x', 2000000000, 'y')",
    "SELECT lpad('x', 2000000000)",
    "SELECT rpad(type, 200000000, 'yz') FROM events",
    "SELECT lpad(type, (value * 10000000)::bigint, 'é') FROM events",
    "SELECT replace(repeat('a', 1000000), 'a', repeat('b', 1000000))",
    "SELECT replace(repeat(type, 1000000), 'e', repeat('b', 1000)) FROM events",
    "SELECT regexp_replace(repeat('a', 1000000), 'a', repeat('b', 1000), 'g')",
    "SELECT regexp_replace(repeat('a', 40000000), '(a*)', '\\1\\1\\1')",
    "SELECT regexp_replace(repeat(type, 100000), '.', repeat('b', 1000), 'g') FROM events",
    "SELECT regexp_match(repeat('a', 40000000), '((((a*))))')",
    "SELECT regexp_count(repeat('a', 60000000), '(a{10,100}b){100}')",
    "SELECT regexp_like(repeat(type, 6000000), '(.{1,100}){100}') FROM events",
    "SELECT encode(repeat('x', 60000000)::bytea, 'hex')",
    "SELECT translate(repeat('x', 60000000), 'x', 'é')",
    "SELECT overlay(repeat('x', 60000000) placing repeat('y', 60000000) from 2)",
    "SELECT string_to_array(repeat('a,', 20000000), ',')",
    "SELECT string_to_array(repeat(type, 2000000), NULL) FROM events",
    "SELECT array_to_string(range(1, 4000000), repeat(',', 1000))",
    "SELECT array_repeat(1, 1000000000)",
    "SELECT array_repeat(repeat('x', 1000000), 1000)",
    "SELECT array_repeat(type, 100000000) FROM events",
    "SELECT array_repeat(array_repeat(1, 10000), 10000)",
    "SELECT array_repeat(ARRAY[value], 100000000) FROM events",
    "SELECT range(1, 1000000000)",
    "SELECT range(1000000000)",
    "SELECT range(1000000000, 1, -1)",
    "SELECT generate_series(1, 1000000000)",
    "SELECT generate_series(1, (value * 1000000000)::bigint) FROM events WHERE value > 1",
    "SELECT generate_series(TIMESTAMP '2000-01-01', TIMESTAMP '2025-01-01', INTERVAL '1 microsecond')",
    "SELECT cardinality(generate_series(DATE '1000-01-01', DATE '2000-01-01', INTERVAL '1 microsecond'))",
    "SELECT unnest(range(1, 1000000000))",
    "SELECT array_resize(ARRAY[1], 1000000000)",
    "SELECT array_resize(ARRAY[1], 1000000000, 5)",
    "SELECT array_concat(a, a, a, a) FROM (SELECT range(1, 6000000) AS a) AS t",
    "SELECT a || a || a || a FROM (SELECT range(1, 6000000) AS a) AS t",
    "SELECT ARRAY[a, a, a] FROM (SELECT repeat('x', 60000000) AS a) AS t",
    "SELECT make_array(a, a) FROM (SELECT repeat('x', 60000000) AS a) AS t",
    "SELECT array_append(ARRAY[a], a) FROM (SELECT repeat('x', 60000000) AS a) AS t",
    "SELECT array_prepend(a, ARRAY[a]) FROM (SELECT repeat('x', 60000000) AS a) AS t",
    "SELECT array_replace_all(array_repeat(1, 1000000), 1, 2)[1], array_replace_all(array_repeat('a', 100000), 'a', repeat('b', 10000))",
    "SELECT levenshtein(repeat('a', 300000), repeat('b', 300000))",
    "SELECT levenshtein(repeat(type, 30000), repeat(type, 30000)) FROM events",
    "SELECT array_has_all(range(1, 1000000), range(1, 1000000))",
    "SELECT NULL::INT[1000000000]",
];

#[tokio::test]
async fn refusals_name_the_function_the_size_and_the_rule() {
    let fixture = fixture().await;
    let refusal = async |sql: &str| fixture.refusal(sql).await.message;
    assert_snapshot!(refusal("SELECT repeat('x', 1000000000)").await, @"repeat: a value of 1000000000 bytes; one value has at most 67108864 bytes");
    assert_snapshot!(refusal("SELECT lpad('x', 2000000000, 'y')").await, @"lpad: a value of 2000000000 bytes; one value has at most 67108864 bytes");
    assert_snapshot!(refusal("SELECT a || a FROM (SELECT repeat('x', 60000000) AS a) AS t").await, @"||: a value of 120000000 bytes; one value has at most 67108864 bytes");
    assert_snapshot!(refusal("SELECT regexp_replace(repeat('a', 1000000), 'a', repeat('b', 1000), 'g')").await, @"regexp_replace: a value of up to 1001001000 bytes; one value has at most 67108864 bytes");
    assert_snapshot!(refusal("SELECT levenshtein(repeat('a', 300000), repeat('b', 300000))").await, @"levenshtein: a value of 90000000000 steps of work; one value takes at most 100000000 steps");
    assert_snapshot!(refusal("SELECT NULL::INT[1000000000]").await, @"FixedSizeList(1000000000 x Int32): each value has 4000000000 bytes, null too; values of one size have at most 32768 bytes");
    assert_snapshot!(refusal("SELECT repeat('x', n) FROM (SELECT 60000000 AS n FROM generate_series(1, 10)) AS t").await, @"repeat: 10 rows of 600000000 bytes together; the rows of one batch have at most 268435456 bytes");
    let wide = format!("SELECT '{}' FROM generate_series(1, 1000)", "x".repeat(1_000_000));
    assert_snapshot!(refusal(&wide).await, @"constant: 1000 rows of 1000000000 bytes together; the rows of one batch have at most 268435456 bytes");
}

/// 512 MiB leave 307 MiB to queries, and a quarter of that to the rows of one batch.
#[tokio::test]
async fn bounds_are_narrower_where_memory_is_small() {
    let options = EngineOptions { memory_limit_bytes: 512 << 20, ..EngineOptions::default() };
    let fixture =
        Fixture::with(options, QueryOptions { target_partitions: 2, ..QueryOptions::default() }).await;
    assert_snapshot!(fixture.refusal("SELECT repeat('x', 60000000)").await.message, @"repeat: a value of 60000000 bytes; one value has at most 40265318 bytes");
    assert_eq!(fixture.value("SELECT length(repeat('x', 30000000))").await, "30000000");
    let error = fixture.refusal(&many_columns(30_000_000)).await;
    assert_eq!(error.kind, QueryErrorKind::ResourcesExhausted, "{error}");
    assert!(fixture.engine.budget().peak() < 512 << 20);
    assert_eq!(fixture.value("SELECT length(repeat('x', 30000000))").await, "30000000");
}

/// Each column is within bounds, and all of them are not.
#[tokio::test]
async fn columns_are_reserved_together() {
    let fixture = fixture().await;
    let error = fixture.refusal(&many_columns(60_000_000)).await;
    assert_eq!(error.kind, QueryErrorKind::ResourcesExhausted, "{error}");
    assert!(error.message.contains("repeat needs"), "{error}");
}

#[tokio::test]
async fn large_values_within_bounds_are_answered() {
    let fixture = fixture().await;
    check(
        &fixture,
        &[
            ("SELECT length(repeat('x', 60000000))", "60000000"),
            ("SELECT length(lpad('x', 60000000, 'y'))", "60000000"),
            ("SELECT length(concat(a, a, a)) FROM (SELECT repeat('x', 20000000) AS a) AS t", "60000000"),
            ("SELECT length(a || a || a) FROM (SELECT repeat('x', 20000000) AS a) AS t", "60000000"),
            ("SELECT length(replace(repeat('ab', 1000000), 'a', 'cdefgh'))", "7000000"),
            ("SELECT length(regexp_replace(repeat('ab', 100000), 'a', 'cdefgh', 'g'))", "700000"),
            ("SELECT cardinality(range(0, 3000000))", "3000000"),
            ("SELECT cardinality(string_to_array(repeat('a,', 1000000), ','))", "1000001"),
            ("SELECT length(array_to_string(range(0, 1000000), ','))", "6888889"),
            ("SELECT levenshtein(repeat('a', 3000), repeat('b', 3000))", "3000"),
            ("SELECT sum(length(repeat(type, 10000))) = sum(length(type)) * 10000 FROM events", "true"),
            ("SELECT sum(length(repeat(type, 2000) || device_id)) = sum(length(type)) * 2000 + count(*) * 10 FROM events", "true"),
            ("SELECT count(DISTINCT levenshtein(repeat(type, 40), repeat(device_id, 40))) > 1 FROM events", "true"),
            ("SELECT count(*) FROM events WHERE type = repeat('x', 20000)", "0"),
            ("SELECT length(string_agg(type, ',')) = sum(length(type)) + count(*) - 1 FROM events", "true"),
        ],
    )
    .await;
}

#[tokio::test]
async fn ordinary_values_are_as_they_were() {
    let fixture = fixture().await;
    check(
        &fixture,
        &[
            ("SELECT repeat('ab', 3)", "ababab"),
            ("SELECT repeat('ab', -1) || repeat('', 1000000000) || 'x'", "x"),
            ("SELECT repeat(NULL, 1000000000) IS NULL", "true"),
            ("SELECT repeat('ab', NULL) IS NULL", "true"),
            ("SELECT 'a' || 'b' || 'c'", "abc"),
            ("SELECT 'a' || NULL || 'c' IS NULL", "true"),
            ("SELECT 1 || 'b' || 2.5", "1b2.5"),
            ("SELECT arrow_typeof('a' || type) FROM events LIMIT 1", "Utf8View"),
            ("SELECT max(type || '-' || device_id || '/') FROM events WHERE device_id = 'device-001' AND type = 'battery'", "battery-device-001/"),
            ("SELECT concat('a', NULL, 1, true)", "a1true"),
            ("SELECT concat_ws(',', 'a', NULL, 'b')", "a,b"),
            ("SELECT lpad('é', 3, 'ab')", "abé"),
            ("SELECT lpad('abc', 2)", "ab"),
            ("SELECT rpad('a', 3)", "a  "),
            ("SELECT rpad('a', 3, '')", "a"),
            ("SELECT replace('banana', 'a', 'oo')", "boonoonoo"),
            ("SELECT regexp_replace('banana', '(a)(n)', '\\2\\1', 'g')", "bnanaa"),
            ("SELECT regexp_match('banana', '(a)(n)')", "[a, n]"),
            ("SELECT translate('banana', 'an', 'xé')", "bxéxéx"),
            ("SELECT overlay('banana' placing 'xx' from 2 for 3)", "bxxna"),
            ("SELECT upper('ß') || lower('İ') || initcap('ab cd')", "SSi̇Ab Cd"),
            ("SELECT string_to_array('a,b', ',')", "[a, b]"),
            ("SELECT array_to_string(ARRAY[1, NULL, 3], '-', 'x')", "1-x-3"),
            ("SELECT array_repeat('a', 2)", "[a, a]"),
            ("SELECT range(1, 7, 2)", "[1, 3, 5]"),
            ("SELECT generate_series(3, 1, -1)", "[3, 2, 1]"),
            ("SELECT cardinality(generate_series(DATE '2024-01-31', DATE '2025-01-31', INTERVAL '1 month'))", "13"),
            ("SELECT array_resize(ARRAY[1], 3, 5)", "[1, 5, 5]"),
            ("SELECT ARRAY[1] || ARRAY[2] || 3", "[1, 2, 3]"),
            ("SELECT 0 || ARRAY[1]", "[0, 1]"),
            ("SELECT array_append(ARRAY['a'], 'b')", "[a, b]"),
            ("SELECT array_replace_all(ARRAY[1, 2, 1], 1, 3)", "[3, 2, 3]"),
            ("SELECT levenshtein('kitten', 'sitting')", "3"),
            ("SELECT to_char(TIMESTAMP '2025-03-04 05:06:07', 'YYYY-MM-DD HH24:MI:SS')", "2025-03-04 05:06:07"),
            ("SELECT array_has_all(ARRAY[1, 2, 3], ARRAY[1, 3])", "true"),
            ("SELECT ARRAY[1, 2]::INT[2]", "[1, 2]"),
        ],
    )
    .await;
}

/// A list that is looked through is a constant, however long it is.
#[tokio::test]
async fn long_lists_of_constants_are_looked_through() {
    let fixture = fixture().await;
    let numbers: Vec<String> = (0..9_000).map(|number| number.to_string()).collect();
    let numbers = numbers.join(",");
    let sql = format!("SELECT count(*) >= 0 FROM events WHERE value = ANY(ARRAY[{numbers}])");
    assert_eq!(fixture.value(&sql).await, "true");
    let sql = format!("SELECT count(*) >= 0 FROM events WHERE array_has(ARRAY[{numbers}], value::bigint)");
    assert_eq!(fixture.value(&sql).await, "true");
    let sql = format!("SELECT count(*) FROM events WHERE type = '{}'", "x".repeat(100_000));
    assert_eq!(fixture.value(&sql).await, "0");
}

fn many_columns(bytes: usize) -> String {
    let columns: Vec<String> =
        (0..100).map(|number| format!("repeat('{number:02}', {}) AS c{number}", bytes / 2)).collect();
    format!("SELECT {}", columns.join(", "))
}

async fn fixture() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.append_to_files(&random_events(7, 1_999, 3)).await;
    fixture.append(&[event(START, "device-000", "temperature", 300.0)]).await;
    fixture
}
