//! EXISTS and correlated values wherever they can stand, set operations that count, and the plans of semi joins.

use crate::support::{Event, Fixture, START, event, random_events};

/// Statements over [`ten_events`] and the rows they give, one text per row.
const ANSWERS: [(&str, &[&str]); 59] = [
    // An aggregate without GROUP BY always has one row.
    ("SELECT count(*) FROM events a WHERE EXISTS (SELECT count(*) FROM events b WHERE b.value > a.value)", &["10"]),
    ("SELECT count(*) FROM events a WHERE NOT EXISTS (SELECT max(b.value) FROM events b WHERE false)", &["0"]),
    (
        "SELECT count(*) FROM events a WHERE EXISTS
         (SELECT count(*) FROM events b WHERE b.value > a.value HAVING count(*) = 0)",
        &["1"],
    ),
    ("SELECT count(*) FROM events a WHERE EXISTS (SELECT 1 FROM events b WHERE b.value > a.value LIMIT 0)", &["0"]),
    ("SELECT count(*) FROM events a WHERE EXISTS (SELECT 1 FROM events b WHERE b.value > a.value LIMIT 2)", &["9"]),
    (
        "SELECT count(*) FROM events a WHERE EXISTS (SELECT 1 FROM events b WHERE b.value > a.value OFFSET 3)",
        &["6"],
    ),
    // An unknown outer value finds its own rows, and is still equal to nothing.
    (
        "SELECT count(*) FROM (SELECT device_id, nullif(value, value) AS v, nullif(type, type) AS t FROM events) a
         WHERE (SELECT a.v FROM events b ORDER BY b.value LIMIT 1) = length(a.t)",
        &["0"],
    ),
    // A constant subquery that has no rows is NULL, also as a group.
    (
        "SELECT count(*) FROM (SELECT DISTINCT c FROM
         (SELECT (SELECT 3.5 FROM events b WHERE b.timestamp IS DISTINCT FROM b.timestamp) AS c FROM events a GROUP BY 1) q
         WHERE c IS NOT NULL) r",
        &["0"],
    ),
    // Columns of one name on both sides of a join, below a filter that leaves some out.
    (
        "SELECT count(*) FROM (SELECT b.timestamp AS c, a.value >= b.latitude AS d FROM events a LEFT JOIN events b ON true
         WHERE a.timestamp AT TIME ZONE 'UTC' < TIMESTAMP '2099-01-01') q WHERE c IS NOT NULL",
        &["100"],
    ),
    // The greatest or least of each key decides an inequality.
    (
        "SELECT count(*) FROM events a WHERE EXISTS (SELECT 1 FROM events b WHERE b.type = a.type AND b.latitude > a.value)",
        &["8"],
    ),
    (
        "SELECT count(*) FROM events a WHERE NOT EXISTS (SELECT 1 FROM events b WHERE b.type = a.type AND a.value > b.latitude)",
        &["3"],
    ),
    ("SELECT count(*) FROM events a WHERE a.value >= ANY (SELECT b.latitude - 3 FROM events b)", &["10"]),
    // Neither does, where what it is compared with differs among the rows of a key.
    (
        "SELECT count(*) FROM events a WHERE EXISTS (SELECT 1 FROM events b WHERE b.value > a.value * (b.value - 4))",
        &["10"],
    ),
    (
        "SELECT count(*) FROM events a WHERE NOT EXISTS
         (SELECT 1 FROM events b WHERE b.type = a.type AND a.value * (b.value - 4) < b.value)",
        &["0"],
    ),
    // A condition on what is computed from a column says nothing of how the column is sorted.
    (
        "SELECT v, w FROM (SELECT a.value AS v, a.timestamp AS o, b.value AS w FROM events a, events b) q
         WHERE v > 7 AND w < 2 AND CAST(o AS DATE) = DATE '2024-01-01' ORDER BY o, w",
        &["8.0|0.0", "8.0|1.0", "9.0|0.0", "9.0|1.0"],
    ),
    (
        "SELECT v, w FROM generate_series(1, 9) a(v), generate_series(1, 2) b(w) WHERE v / 2 = 3 ORDER BY v, w",
        &["6|1", "6|2", "7|1", "7|2"],
    ),
    (
        "SELECT v, w FROM generate_series(1, 9) a(v), generate_series(1, 2) b(w)
         WHERE CAST(CAST(v AS DOUBLE) / 2 AS BIGINT) = 3 ORDER BY v, w",
        &["6|1", "6|2", "7|1", "7|2"],
    ),
    (
        "SELECT o, w, row_number() OVER (PARTITION BY o ORDER BY w) FROM
         (SELECT a.v / 4.0 AS o, b.w FROM (SELECT CAST(v AS DOUBLE) AS v FROM generate_series(7, 8) s(v)) a, generate_series(1, 2) b(w)) q
         WHERE CAST(o + 0 AS BIGINT) >= 1 AND CAST(o AS BIGINT) <= 2 ORDER BY o, w",
        &["1.75|1|1", "1.75|2|2", "2.0|1|1", "2.0|2|2"],
    ),
    // A constant is none where an outer join or a grouping set puts NULL in its place.
    (
        "SELECT b.c, a.value FROM events a LEFT JOIN (SELECT DISTINCT value, 5 AS c FROM events WHERE value >= 7) b ON a.value = b.value
         WHERE a.value > 4 ORDER BY b.c, a.value DESC",
        &["5|9.0", "5|8.0", "5|7.0", "|6.0", "|5.0"],
    ),
    (
        "SELECT b.c, a.value, row_number() OVER (PARTITION BY b.c ORDER BY a.value) FROM
         (SELECT v AS value, 5 AS c FROM generate_series(7, 9) s(v)) b RIGHT JOIN events a ON a.value = b.value
         WHERE a.value > 4 ORDER BY a.value",
        &["|5.0|1", "|6.0|2", "5|7.0|1", "5|8.0|2", "5|9.0|3"],
    ),
    (
        "SELECT b.c, a.c, coalesce(a.v, b.v) FROM (SELECT v, 1 AS c FROM generate_series(1, 3) s(v)) a
         FULL JOIN (SELECT v, 2 AS c FROM generate_series(3, 4) s(v)) b ON a.v = b.v ORDER BY 1, 2, 3 DESC",
        &["2|1|3", "2||4", "|1|2", "|1|1"],
    ),
    (
        "SELECT c, type, count(*) FROM (SELECT 5 AS c, type FROM events) q GROUP BY CUBE (c, type) ORDER BY c NULLS FIRST, type DESC",
        &["||10", "|odd|5", "|even|5", "5||10", "5|odd|5", "5|even|5"],
    ),
    (
        "SELECT s, t, count(*) FROM (SELECT a.type AS s, b.type AS t FROM events a JOIN events b ON a.type = b.type AND a.value = b.value) q
         GROUP BY GROUPING SETS ((s), (t)) ORDER BY s, t",
        &["even||5", "odd||5", "|even|5", "|odd|5"],
    ),
    (
        "(SELECT true AS c FROM events) INTERSECT ALL
         (SELECT a.device_id NOT IN (SELECT b.device_id FROM events b WHERE a.value < 3) FROM events a)",
        &["true"; 7],
    ),
    // Counts of nothing are 0, also beside an inequality and in arithmetic.
    (
        "SELECT (SELECT count(*) FROM events b WHERE b.value < a.value) FROM events a WHERE a.value < 2 ORDER BY 1",
        &["0", "1"],
    ),
    (
        "SELECT count(*) FROM events a WHERE (SELECT count(*) FROM events b WHERE b.type = a.device_id) = 0",
        &["10"],
    ),
    (
        "SELECT sum((SELECT coalesce(sum(b.value), -1) FROM events b WHERE b.value > a.value + 7)) FROM events a",
        &["18.0"],
    ),
    // Among columns, below aggregates, in CASE, ORDER BY and the condition of a join.
    (
        "SELECT a.type, count(*) FILTER (WHERE EXISTS (SELECT 1 FROM events b WHERE b.value > a.value + 5))
         FROM events a GROUP BY a.type ORDER BY 1",
        &["even|2", "odd|2"],
    ),
    (
        "SELECT EXISTS (SELECT 1 FROM events b WHERE b.value > a.value) AS higher, count(*)
         FROM events a GROUP BY 1 ORDER BY 1",
        &["false|1", "true|9"],
    ),
    ("SELECT EXISTS (SELECT 1 FROM events WHERE value > 100), NOT EXISTS (SELECT 1 FROM events)", &["false|false"]),
    (
        "SELECT CASE WHEN a.value IN (SELECT b.value + 8 FROM events b) THEN 'high' ELSE 'low' END AS c, count(*)
         FROM events a GROUP BY 1 ORDER BY 1",
        &["high|2", "low|8"],
    ),
    (
        "SELECT a.value FROM events a ORDER BY (SELECT count(*) FROM events b WHERE b.value < a.value) DESC LIMIT 2",
        &["9.0", "8.0"],
    ),
    (
        "SELECT count(*), count(b.value) FROM events a LEFT JOIN events b
         ON b.value = a.value AND EXISTS (SELECT 1 FROM events c WHERE c.value = b.value + 8)",
        &["10|2"],
    ),
    (
        "SELECT DISTINCT ON (a.type) a.type, (SELECT max(b.value) FROM events b WHERE b.value < a.value) AS before
         FROM events a ORDER BY a.type, a.timestamp DESC",
        &["even|7.0", "odd|8.0"],
    ),
    (
        "SELECT DISTINCT ON (a.type) a.type, a.value FROM events a
         ORDER BY a.type, (SELECT sum(b.value) FROM events b WHERE b.value <= a.value) DESC, a.timestamp",
        &["even|8.0", "odd|9.0"],
    ),
    (
        "SELECT DISTINCT ON ((SELECT max(b.type) FROM events b WHERE b.value = a.value)) a.value FROM events a
         ORDER BY (SELECT max(b.type) FROM events b WHERE b.value = a.value), a.value",
        &["0.0", "1.0"],
    ),
    // A value of an equality, looked for among rows.
    (
        "SELECT count(*) FROM events a WHERE (SELECT sum(b.value) FROM events b WHERE b.type = a.type) NOT IN
         (SELECT c.value * 4 FROM events c)",
        &["5"],
    ),
    (
        "SELECT count(*) FROM events a WHERE 5 + (SELECT sum(b.value) FROM events b WHERE b.type = a.type) IN
         (SELECT c.value * 5 FROM events c)",
        &["10"],
    ),
    (
        "SELECT count(*) FROM events a WHERE (SELECT max(b.value) FROM events b WHERE b.type = a.type) >= ALL
         (SELECT c.value FROM events c)",
        &["5"],
    ),
    // A constant, and no row.
    ("SELECT (SELECT abs(10.0) FROM events b WHERE b.value > 50) FROM events a WHERE a.value < 2", &["", ""]),
    (
        "SELECT count(*) FROM (SELECT (SELECT -0.5 FROM events WHERE value > 50) AS c FROM events) AS q WHERE c IS NOT NULL",
        &["0"],
    ),
    // Two levels up, below a window and a sort.
    (
        "SELECT last_value((SELECT (SELECT count(*) FROM events b WHERE a.value IN (7, 9)) FROM events b LIMIT 1))
         OVER (ORDER BY a.value) FROM events a WHERE a.value > 6 ORDER BY a.value",
        &["10", "0", "10"],
    ),
    (
        "SELECT a.value FROM events a WHERE a.value > 6
         ORDER BY (SELECT (SELECT count(*) FROM events b WHERE a.value IN (7, 9)) FROM events b LIMIT 1), a.value DESC",
        &["8.0", "9.0", "7.0"],
    ),
    // Columns of one name on both sides of a join, and a list that is not asked below it.
    (
        "SELECT count(*) FROM events a RIGHT JOIN events b ON true WHERE a.timestamp >= '2024-01-01T00:00:05Z'
         AND a.value NOT IN (1, 2, 3, a.latitude - 1)",
        &["50"],
    ),
    (
        "SELECT count(*) FROM (SELECT b.value, b.timestamp FROM events a RIGHT JOIN events b ON true
         WHERE a.timestamp >= '2024-01-01T00:00:05Z' AND a.value NOT IN (1, 2, 3, a.latitude - 1)) WHERE value < 5",
        &["25"],
    ),
    // Both sides under one name.
    ("SELECT count(*) FROM events WHERE type IN (SELECT type FROM events WHERE value = 2)", &["5"]),
    ("SELECT count(*) FROM events WHERE value NOT IN (SELECT value FROM events WHERE value < 3)", &["7"]),
    ("SELECT count(*) FROM events WHERE value > ALL (SELECT value FROM events WHERE value < 3)", &["7"]),
    ("SELECT count(*) FROM events WHERE (latitude IN (SELECT longitude FROM events)) IS NULL", &["9"]),
    (
        "SELECT count(*) FROM events a WHERE a.value IN (SELECT a.value FROM events a WHERE a.value IN
         (SELECT a.value + 1 FROM events a WHERE a.value < 4))",
        &["4"],
    ),
    // Two levels up.
    (
        "SELECT count(*) FROM events a WHERE EXISTS (SELECT 1 FROM events b WHERE b.type = a.type AND b.value >
         (SELECT avg(c.value) FROM events c WHERE c.value >= a.value))",
        &["8"],
    ),
    // The nearest row before, in three spellings.
    (
        "SELECT (SELECT b.value FROM events b WHERE b.timestamp < a.timestamp ORDER BY b.timestamp DESC LIMIT 1) AS v
         FROM events a WHERE a.value < 3 ORDER BY a.value",
        &["", "0.0", "1.0"],
    ),
    (
        "SELECT a.value, b.value FROM events a LEFT JOIN LATERAL (SELECT value FROM events WHERE timestamp < a.timestamp
         ORDER BY timestamp DESC LIMIT 1) b ON true WHERE a.value < 3 ORDER BY 1",
        &["0.0|", "1.0|0.0", "2.0|1.0"],
    ),
    (
        "SELECT a.value, b.value FROM events a CROSS JOIN LATERAL (SELECT value FROM events WHERE timestamp < a.timestamp
         ORDER BY timestamp DESC LIMIT 2) b WHERE a.value < 3 ORDER BY 1, 2",
        &["1.0|0.0", "2.0|0.0", "2.0|1.0"],
    ),
    (
        "SELECT count(b.value) FROM events a LEFT JOIN LATERAL (SELECT value FROM events
         WHERE 4 IN (SELECT a.latitude FROM events c)) b ON true",
        &["10"],
    ),
    // A constant that no row gives is NULL.
    ("SELECT (SELECT 7 FROM events c WHERE c.value > 100), count(*) FROM events a", &["|10"]),
    // How often a row is there counts.
    ("SELECT count(*) FROM ((SELECT type FROM events) INTERSECT ALL (SELECT type FROM events LIMIT 3)) q", &["3"]),
    (
        "SELECT type, count(*) FROM ((SELECT type FROM events) EXCEPT ALL (SELECT type FROM events WHERE value < 3)) q
         GROUP BY 1 ORDER BY 1",
        &["even|3", "odd|4"],
    ),
    (
        "SELECT count(*) FROM ((SELECT latitude FROM events) EXCEPT ALL (SELECT NULL::double)) q",
        &["9"],
    ),
];

#[tokio::test]
async fn subqueries_answer_wherever_they_stand() {
    let fixture = Fixture::new().await;
    let events = ten_events();
    fixture.append_to_files(&events[..5]).await;
    fixture.append(&events[5..]).await;
    for (sql, expected) in ANSWERS {
        assert_eq!(texts(&fixture, sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn a_value_of_several_rows_is_an_error() {
    let fixture = Fixture::new().await;
    fixture.append(&ten_events()).await;
    for inner in ["WHERE b.type = a.type", "WHERE b.value > a.value + 7", ""] {
        let sql = format!("SELECT (SELECT b.value FROM events b {inner}) FROM events a");
        let error = fixture.refusal(&sql).await;
        assert!(error.message.contains("more than one row"), "{sql}: {error}");
    }
    let sql = "SELECT (SELECT b.value FROM events b WHERE b.value = a.value + 8) AS v FROM events a ORDER BY a.value LIMIT 3";
    assert_eq!(texts(&fixture, sql).await, ["8.0", "9.0", ""]);
}

/// Each of these was the square of the table; the keys of the inner side are few.
#[tokio::test]
async fn inner_sides_are_distinct_before_the_join() {
    let fixture = Fixture::new().await;
    fixture.append_to_files(&random_events(3, 500, 1)).await;
    let statements = [
        "type IN (SELECT type FROM events WHERE value > 30)",
        "type NOT IN (SELECT type FROM events WHERE value > 30)",
        "latitude NOT IN (SELECT longitude FROM events)",
        "EXISTS (SELECT 1 FROM events b WHERE b.type = a.type)",
        "NOT EXISTS (SELECT 1 FROM events b WHERE b.type = a.type AND b.value > 30)",
        "value > 49 OR type IN (SELECT type FROM events b WHERE b.device_id = a.device_id)",
    ];
    for condition in statements {
        let plan = fixture.table(&format!("EXPLAIN SELECT count(*) FROM events a WHERE {condition}")).await;
        assert!(has_distinct_side(&plan), "{condition}\n{plan}");
    }
    let inequality = "EXISTS (SELECT 1 FROM events b WHERE b.type = a.type AND b.value > a.value)";
    let plan = fixture.table(&format!("EXPLAIN SELECT count(*) FROM events a WHERE {inequality}")).await;
    assert!(plan.contains("aggr=[[max("), "{plan}");
    let semi = "EXPLAIN SELECT count(*) FROM events a LEFT SEMI JOIN events b ON a.type = b.type";
    assert!(has_distinct_side(&fixture.table(semi).await));
    let grouped = "EXPLAIN SELECT count(*) FROM events a WHERE type IN (SELECT DISTINCT type FROM events)";
    let plan = fixture.table(grouped).await;
    assert_eq!(plan.matches("groupBy=[[").count(), 2, "one for count(*), one for DISTINCT:\n{plan}");
}

/// Whether an aggregate without aggregates stands in the logical plan.
fn has_distinct_side(plan: &str) -> bool {
    plan.lines().any(|line| line.contains("Aggregate: groupBy=[[") && line.contains("aggr=[[]]"))
}

/// A hundred thousand rows of four types: within the time of a test only if each is looked up once.
#[tokio::test]
async fn memberships_of_few_values_do_not_square_the_table() {
    let fixture = Fixture::new().await;
    for seed in 0..4 {
        fixture.append(&random_events(seed, 25_000, 24)).await;
    }
    let condition = "type IN (SELECT type FROM events WHERE value > 0)
                     AND EXISTS (SELECT 1 FROM events b WHERE b.type = a.type)
                     AND type NOT IN (SELECT type FROM events WHERE value > 1000)";
    assert_eq!(fixture.value(&format!("SELECT count(*) FROM events a WHERE {condition}")).await, "100000");
}

async fn texts(fixture: &Fixture, sql: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for batch in fixture.rows(sql).await {
        for row in 0..batch.num_rows() {
            let cell = |column: &arrow::array::ArrayRef| {
                arrow::util::display::array_value_to_string(column, row).unwrap()
            };
            texts.push(batch.columns().iter().map(cell).collect::<Vec<_>>().join("|"));
        }
    }
    texts
}

/// Values 0 to 9, a second apart, by turns `even` and `odd`; the first has no place.
fn ten_events() -> Vec<Event> {
    (0..10_u32)
        .map(|number| Event {
            place: (number > 0).then(|| (f64::from(number), 1.0)),
            ..event(
                START + i64::from(number) * 1_000_000,
                &format!("d{number}"),
                if number % 2 == 0 { "even" } else { "odd" },
                f64::from(number),
            )
        })
        .collect()
}

#[tokio::test]
async fn an_aggregate_of_the_query_around_is_refused() {
    let fixture = Fixture::new().await;
    fixture.append(&ten_events()).await;
    for aggregate in
        ["max(a.value)", "count(a.latitude) FILTER (WHERE a.value > 1)", "sum(a.value * 2) + count(*)"]
    {
        let refused =
            fixture.refusal(&format!("SELECT (SELECT {aggregate} FROM events b) FROM events a")).await;
        assert!(refused.message.contains("over the rows of the query around it"), "{refused}");
    }
    let own = "SELECT sum((SELECT max(a.value + b.value - b.value) FROM events b)) FROM events a";
    assert_eq!(fixture.value(own).await, fixture.value("SELECT sum(value) FROM events").await);
}
