//! Joins of rows with texts and lists: the answers are those of any join, batches are short, and what is too large to be copied for each
//! partner is refused by name.

use crate::support::{Fixture, START, event};

/// Joins of 40 rows, half of which have the type `a`, with each other.
const JOINS: [(&str, &str); 7] = [
    ("SELECT count(*), max(length(a.x)) FROM w a JOIN e b ON a.type = b.type", "800"),
    ("SELECT count(*), max(length(a.x)) FROM w a, e b", "1600"),
    ("SELECT count(*), max(length(b.x)) FROM e a, w b", "1600"),
    ("SELECT count(*), max(length(a.x)) FROM w a, e b WHERE a.value < b.value OR a.x = b.device_id", "780"),
    ("SELECT count(*), max(length(a.x)) FROM w a LEFT JOIN e b ON a.type = b.type AND b.value < 0", "40"),
    ("SELECT count(*), max(length(a.x)) FROM w a FULL JOIN e b ON a.value = b.value + 20", "60"),
    (
        "SELECT count(*), max(length(a.x)) FROM w a WHERE EXISTS (SELECT 1 FROM e b WHERE b.type <> a.type)",
        "40",
    ),
];

async fn forty() -> Fixture {
    let fixture = Fixture::new().await;
    let events: Vec<_> = (0..40)
        .map(|row| event(START + row, "device", if row % 2 == 0 { "a" } else { "b" }, row as f64))
        .collect();
    fixture.append_to_files(&events).await;
    fixture
}

/// `w`: the events with a value `x` that is copied whole.
fn with(value: &str, join: &str) -> String {
    format!("WITH e AS (SELECT * FROM events), w AS (SELECT {value} AS x, type, value FROM events) {join}")
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_with_texts_are_joined_as_others_are() {
    let fixture = forty().await;
    for (join, count) in JOINS {
        let sql = with("arrow_cast(repeat(device_id, 100), 'Utf8')", join);
        let table = fixture.table(&sql).await;
        assert!(table.contains(&format!("| {count} ")) && table.contains("| 600 "), "{sql}\n{table}");
        let plan = fixture.table(&format!("EXPLAIN {sql}")).await;
        assert!(plan.contains("BatchesExec: rows=256") && !plan.contains("CrossJoinExec"), "{sql}\n{plan}");
        let views = with("repeat(device_id, 100) || ''", join);
        let plan = fixture.table(&format!("EXPLAIN {views}")).await;
        assert!(!plan.contains("BatchesExec"), "views are not copied: {views}\n{plan}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_are_too_large_to_be_copied_are_refused_by_name() {
    let fixture = forty().await;
    let lists = "SELECT count(*), max(cardinality(a.x)) FROM w a JOIN e b ON a.type = b.type";
    let table = fixture.table(&with("array_repeat(value, 100)", lists)).await;
    assert!(table.contains("| 800 ") && table.contains("| 100 "), "{table}");
    for (value, join) in [
        ("array_repeat(value, 200000)", lists),
        ("arrow_cast(repeat(device_id, 200000), 'Utf8')", JOINS[0].0),
        ("arrow_cast(repeat(device_id, 200000), 'Utf8')", JOINS[1].0),
        ("arrow_cast(repeat(device_id, 200000), 'Utf8')", JOINS[3].0),
    ] {
        let error = fixture.refusal(&with(value, join)).await.to_string();
        assert!(
            error.contains("join or unnest: texts and lists of ") && error.contains("at most"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_beside_a_list_is_copied_within_bounds() {
    let fixture = forty().await;
    let unnested = |value: &str, items: u32| {
        format!(
            "SELECT count(*), max(length(x)), max(n) FROM (SELECT x, unnest(range(0, {items})) AS n \
             FROM (SELECT arrow_cast({value}, 'Utf8') AS x FROM events))"
        )
    };
    let table = fixture.table(&unnested("repeat(device_id, 100)", 1_000)).await;
    assert!(table.contains("| 40000 ") && table.contains("| 600 ") && table.contains("| 999 "), "{table}");
    let error = fixture.refusal(&unnested("repeat(device_id, 10000)", 100_000)).await.to_string();
    assert!(
        error.contains("unnest: texts and lists of 60000 bytes in the row of a list of 100000 items"),
        "{error}"
    );
}
