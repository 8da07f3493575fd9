//! Joins and UNNEST of rows with large texts and lists: the answers are those of any join, and batches stay small.

use hexflight_engine::EngineOptions;
use hexflight_planner::QueryOptions;

use crate::support::{Fixture, START, event};

/// Joins of 40 rows, half of which have the type `a`, with 400.
const JOINS: [(&str, &str); 9] = [
    ("FROM w a JOIN e b ON a.type = b.type", "8000"),
    ("FROM w a, e b", "16000"),
    ("FROM e b, w a", "16000"),
    ("FROM e b CROSS JOIN (SELECT max(x) AS x FROM w) a", "400"),
    ("FROM w a, e b WHERE a.value < b.value OR a.x = a.x AND b.value < 0", "15180"),
    ("FROM w a, generate_series(1, 10000) b(v) WHERE a.value = 7 AND (a.x = a.x OR b.v < 0)", "10000"),
    ("FROM w a LEFT JOIN e b ON a.type = b.type AND b.value < 0", "40"),
    ("FROM w a FULL JOIN e b ON a.value = b.value + 20", "420"),
    (
        "FROM w a WHERE EXISTS (SELECT 1 FROM e b WHERE b.value > a.value AND (a.x = a.x OR b.value < 0))",
        "40",
    ),
];

/// What a batch of wide rows has at most at the limit of [`narrow`]. **Units**: bytes.
const BATCH_BYTES: usize = 8 << 20;

async fn fixture(limit_mib: usize) -> Fixture {
    let engine = EngineOptions { memory_limit_bytes: limit_mib << 20, ..EngineOptions::default() };
    let options = QueryOptions { target_partitions: 2, ..QueryOptions::default() };
    let fixture = Fixture::with(engine, options).await;
    let events: Vec<_> = (0..400)
        .map(|row| event(START + row, "device", if row % 2 == 0 { "a" } else { "b" }, row as f64))
        .collect();
    fixture.append_to_files(&events).await;
    fixture
}

async fn narrow() -> Fixture {
    fixture(64).await
}

/// `e`: the events; `w`: 40 of them with a value `x` that is copied whole.
fn with(value: &str, question: &str) -> String {
    format!(
        "WITH e AS (SELECT * FROM events), w AS (SELECT {value} AS x, type, value FROM events WHERE value < 40) {question}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn wide_rows_are_joined_as_others_are_and_in_small_batches() {
    let fixture = narrow().await;
    for value in ["arrow_cast(repeat(device_id, 300), 'Utf8')", "array_repeat(value, 250)"] {
        for (join, count) in JOINS {
            let sql = with(value, &format!("SELECT a.x {join}"));
            let plan = fixture.table(&format!("EXPLAIN {sql}")).await;
            let is_measured = plan.contains("MeasuredExec") || join.contains("EXISTS");
            assert!(is_measured && !plan.contains("CrossJoinExec"), "{sql}\n{plan}");
            let batches = fixture.rows(&sql).await;
            let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
            assert_eq!(rows.to_string(), count, "{sql}");
            let bytes = batches.iter().map(|batch| {
                let data = batch.column(0).to_data();
                data.get_slice_memory_size().unwrap()
            });
            let largest = bytes.max().unwrap();
            assert!(largest <= BATCH_BYTES, "{largest} bytes: {sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_texts_that_rows_share_are_made_in_small_batches() {
    let fixture = narrow().await;
    let text = "(SELECT arrow_cast(repeat('x', 20000), 'Utf8View') AS t) a";
    for (sql, found) in [
        (
            format!("SELECT max(length(reverse(t))) FROM {text} CROSS JOIN generate_series(1, 8192) b"),
            "20000",
        ),
        (
            format!(
                "SELECT max(length(arrow_cast(t, 'Utf8'))) FROM {text}, generate_series(1, 8192) b(v) WHERE v > 0"
            ),
            "20000",
        ),
        (
            format!("SELECT sum(length(reverse(t))) FROM (SELECT t, unnest(range(0, 8192)) FROM {text}) q"),
            "163840000",
        ),
    ] {
        assert_eq!(fixture.value(&sql).await, found, "{sql}");
    }
    let rows = fixture.rows(&format!("SELECT t FROM {text} CROSS JOIN generate_series(1, 8192) b")).await;
    assert!(rows.iter().all(|batch| batch.num_rows() < 100), "{}", rows.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn semi_joins_are_not_measured() {
    let fixture = narrow().await;
    let semi = "FROM w a WHERE a.type IN (SELECT type FROM e)";
    let semi = with("array_repeat(value, 250)", &format!("SELECT count(*), max(cardinality(a.x)) {semi}"));
    for sql in [semi] {
        let plan = fixture.table(&format!("EXPLAIN {sql}")).await;
        assert!(plan.contains("JoinExec") && !plan.contains("MeasuredExec"), "{sql}\n{plan}");
        fixture.rows(&sql).await;
    }
}

/// The rows of `UNNEST` where lists come in pieces, and where there is room for them as they are.
#[tokio::test(flavor = "multi_thread")]
async fn lists_beside_wide_values_are_unnested_as_others_are() {
    let (narrow, wide) = (narrow().await, fixture(8_192).await);
    let text = "arrow_cast(repeat(device_id, 300), 'Utf8')";
    for lists in [
        "unnest(range(0, 3000)) AS n",
        "unnest(range(0, 3000)) AS n, unnest(range(0, 1000)) AS m",
        "unnest(CASE WHEN value < 5 THEN range(0, 3000) WHEN value < 10 THEN range(0, 0) WHEN value < 15 THEN [7] END) AS n",
        "unnest(range(0, 3000)) AS n, unnest(CASE WHEN value < 20 THEN range(0, 0) END) AS m",
        "unnest(arrow_cast(range(0, 3000), 'LargeList(Int64)')) AS n",
        "unnest(unnest(array_repeat(range(0, 5), 5))) AS n, unnest(range(0, 20)) AS m",
        "unnest(array_repeat(named_struct('k', value), 2000)) AS n",
    ] {
        let rows = format!("SELECT x, value, {lists} FROM w");
        let sums = if lists.contains(" AS m") { "count(m), sum(m), sum(n * m), " } else { "" };
        let sums = if lists.contains("named_struct") { "sum(n['k']), " } else { sums };
        let sums = if lists.contains("named_struct") {
            sums.to_owned()
        } else {
            format!("{sums}count(n), sum(n), ")
        };
        let sql = with(
            text,
            &format!("SELECT count(*), {sums}sum(value), min(length(x)), count(DISTINCT x) FROM ({rows}) q"),
        );
        let expected = wide.table(&sql).await;
        assert_eq!(narrow.table(&sql).await, expected, "{sql}");
        let plan = narrow.table(&format!("EXPLAIN {sql}")).await;
        assert!(plan.contains("CutExec"), "{sql}\n{plan}");
    }
}

/// Of the answer of a subquery a column would be made, of a window's rows a second copy, of each row a group for each set.
#[tokio::test(flavor = "multi_thread")]
async fn what_operators_make_without_asking_is_within_bounds() {
    let fixture = narrow().await;
    let answer = "SELECT max(length(s)), count(*) FROM (SELECT value, (SELECT string_agg(device_id, ',') FROM events) AS s FROM events) q";
    let table = fixture.table(answer).await;
    assert!(table.contains("| 2799 ") && table.contains("| 400 "), "{table}");
    let text = "(SELECT string_agg(repeat(device_id, 20), ',') FROM events)";
    let column =
        format!("SELECT max(length(s)) FROM (SELECT v, {text} AS s FROM generate_series(1, 8192) t(v)) q");
    let error = fixture.refusal(&column).await.to_string();
    assert!(error.contains("constant: 8192 rows of"), "{error}");
    let inside = format!(
        "SELECT max(length({text})), count(array_position(string_to_array({text}, ','), device_id)) FROM events"
    );
    assert!(fixture.table(&inside).await.contains("| 48399 "), "a function takes it as it is");
    let compared = format!("SELECT count(*) FROM generate_series(1, 8192) t(v) WHERE v::text < {text}");
    assert_ne!(fixture.value(&compared).await, "0");
    let window = "SELECT max(s) FROM (SELECT sum(v) OVER () AS s FROM generate_series(1, 5000000) t(v)) q";
    let error = fixture.refusal(window).await.to_string();
    assert!(error.contains("rows of a window"), "{error}");
    let few = window.replace("5000000", "500000");
    assert_eq!(fixture.value(&few).await, "125000250000");
    let sets = "SELECT count(*), sum(c) FROM (SELECT count(*) AS c FROM (SELECT v % 2 AS a, v % 3 AS b, v % 5 AS c, v % 7 AS d, v % 11 AS e, \
                v % 4 AS f FROM generate_series(1, 9240) t(v)) q GROUP BY CUBE(a, b, c, d, e, f)) r";
    let table = fixture.table(sets).await;
    // A product of one more than each has values, but for a and f, where f says what a is.
    assert!(table.contains(&format!("| {} ", 64 * 9_240)), "{table}");
    let plan = fixture.table(&format!("EXPLAIN {sets}")).await;
    assert!(plan.contains("SlicedExec"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_of_rows_and_searches_are_within_bounds() {
    let fixture = narrow().await;
    for (condition, count) in [
        ("('x' || n) ~ ('^x' || n || '$')", "100"),
        ("('x' || n) !~ ('^x' || n || '$')", "0"),
        ("('x' || n) ~* ('^X' || n || '$')", "100"),
        ("('x' || n) ~ ('^X' || n || '$')", "0"),
        ("('x' || n) !~* ('^X' || n || '$')", "0"),
        ("regexp_like('x' || n, '^x' || n || '$')", "100"),
        ("arrow_cast('x' || n, 'Utf8View') ~* arrow_cast('X' || n, 'Utf8View')", "100"),
        ("('x' || n) ~ CASE WHEN n > 50 THEN 'x' END", "50"),
        ("('x' || n) ~ 'x1'", "12"),
    ] {
        let sql = format!("SELECT count(*) FROM generate_series(1, 100) t(n) WHERE {condition}");
        assert_eq!(fixture.value(&sql).await, count, "{condition}");
    }
    let plan = "EXPLAIN SELECT count(*) FROM generate_series(1, 100) t(n) WHERE 'b' ~ ('b' || n)";
    assert!(fixture.table(plan).await.contains("regexp_like"));
    let quadratic = [
        "SELECT btrim(repeat('a', 200000), repeat('b', 200000) || 'a')",
        "SELECT ltrim(repeat('a', 200000), repeat('b', 200000) || 'a')",
        "SELECT rtrim(repeat('a', 200000), repeat('b', 200000) || 'a')",
        "SELECT strpos(repeat('a', 300000), repeat('a', 150000) || 'b')",
        "SELECT position(repeat('a', 150000) || 'b' IN repeat('a', 300000))",
    ];
    fixture.all_too_large(&quadratic, std::time::Duration::from_secs(20)).await;
    assert_eq!(
        fixture.value("SELECT btrim('  a b ') || btrim('xxay', 'xy') || strpos('abc', 'c')").await,
        "a ba3"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_cut_is_refused_by_name() {
    let fixture = narrow().await;
    let lists = "SELECT max(length(x)), count(n) FROM \
                 (SELECT x, unnest(unnest(array_repeat(range(0, 100), 100))) AS n FROM w) q";
    let error = fixture.refusal(&with("arrow_cast(repeat(device_id, 300), 'Utf8')", lists)).await.to_string();
    assert!(error.contains("unnest: 10100 copies of 18"), "{error}");
    let both = "SELECT count(n), count(m) FROM (SELECT unnest(unnest(array_repeat(range(0, 1), 10000))) AS n, unnest(range(0, 10000)) AS m) q";
    let error = fixture.refusal(both).await.to_string();
    assert!(error.contains("no lists in lists"), "{error}");
    let views = "SELECT max(length(x)), count(n) FROM \
                 (SELECT x, unnest(arrow_cast(range(0, 10000), 'ListView(Int64)')) AS n FROM w) q";
    let error = fixture.refusal(&with("arrow_cast(repeat(device_id, 300), 'Utf8')", views)).await.to_string();
    assert!(error.contains("unnest: 10000 copies of 18"), "{error}");
    let table = fixture.table(&with("arrow_cast(repeat(device_id, 20), 'Utf8')", lists)).await;
    assert!(table.contains("| 400000 ") && table.contains("| 120 "), "{table}");
}

/// Columns of a few bytes each become large together, as constants do that are written once.
#[tokio::test(flavor = "multi_thread")]
async fn many_columns_are_made_of_few_rows_at_once() {
    let fixture = fixture(1_024).await;
    let list = |count: usize, column: &dyn Fn(usize) -> String| {
        (0..count).map(column).collect::<Vec<_>>().join(", ")
    };
    let rows = "FROM generate_series(1, 8192) t(v)";
    let letters: Vec<char> = ('a'..='t').collect();
    let constants = list(20, &|column| format!("repeat('{}', 1900) AS c{column}", letters[column]));
    let texts = list(40, &|column| format!("concat('x{column}', v) AS c{column}"));
    let numbers = list(500, &|column| format!("v + {column} AS c{column}"));
    for (columns, at_most) in [(constants, 875), (texts, 1_638), (numbers, 4_194)] {
        let batches = fixture.rows(&format!("SELECT {columns} {rows}")).await;
        assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 8_192);
        let longest = batches.iter().map(|batch| batch.num_rows()).max();
        assert!(longest.is_some_and(|rows| rows <= at_most && rows > at_most / 2), "{longest:?} {at_most}");
    }
    let sums = list(300, &|column| format!("max(v % {}) AS c{column}", column + 2));
    let keys = list(40, &|column| format!("concat('x', v % {})", column + 2));
    for (sql, value) in [
        (
            format!(
                "SELECT max({}) FROM (SELECT {sums} {rows} GROUP BY v) q",
                list(300, &|column| format!("c{column}")).replace(", ", " + ")
            ),
            "27605",
        ),
        (
            format!(
                "SELECT string_agg(v::text, ',') FROM (SELECT v {rows} WHERE v < 8 ORDER BY {keys} LIMIT 3) q"
            ),
            "6,4,2",
        ),
    ] {
        assert_eq!(fixture.value(&sql).await, value, "{sql}");
        let plan = fixture.table(&format!("EXPLAIN {sql}")).await;
        assert!(plan.contains("SlicedExec"), "{plan}");
    }
    let plan = fixture.table(&format!("EXPLAIN SELECT v + 1, v + 2, v > 3 {rows}")).await;
    assert!(!plan.contains("SlicedExec"), "{plan}");
}
