//! A result may have columns of one name; only a question that two columns could answer is refused.

use arrow::{array::RecordBatch, datatypes::Schema, util::display::array_value_to_string};

use crate::{
    support::{Fixture, START, event},
    values_table::{expect, ten_events},
};

/// Statements, the names of their columns, and their first row.
const TWINS: [(&str, &str, &str); 43] = [
    ("SELECT value, value FROM events", "value,value", "1.0,1.0"),
    ("SELECT count(*), count(*) FROM events", "count(*),count(*)", "1,1"),
    (
        "SELECT max(value), type, max(value) FROM events GROUP BY type",
        "max(events.value),type,max(events.value)",
        "1.0,t,1.0",
    ),
    ("SELECT 1 AS x, 2 AS x", "x,x", "1,2"),
    ("SELECT timestamp::date, value FROM events ORDER BY timestamp", "timestamp,value", "2024-01-01,1.0"),
    ("SELECT timestamp::date, timestamp::time FROM events", "timestamp,timestamp", "2024-01-01,00:00:00"),
    ("SELECT value::text, count(*) FROM events GROUP BY value", "events.value,count(*)", "1.0,1"),
    ("SELECT value::text, value FROM events GROUP BY value", "value,value", "1.0,1.0"),
    (
        "SELECT timestamp::date AS day, timestamp::time AS t, count(*) FROM events GROUP BY 1, 2",
        "day,t,count(*)",
        "2024-01-01,00:00:00,1",
    ),
    ("SELECT count(value::int) AS a, count(value::text) AS b FROM events", "a,b", "1,1"),
    ("SELECT *, value FROM (SELECT value, type FROM events)", "value,type,value", "1.0,t,1.0"),
    ("SELECT * FROM (SELECT value, value FROM events) AS t", "value,value", "1.0,1.0"),
    (
        "SELECT * FROM (SELECT a.value, b.value FROM events a JOIN events b ON a.type = b.type) AS t",
        "value,value",
        "1.0,1.0",
    ),
    (
        "WITH t AS (SELECT a.value, b.value FROM events a JOIN events b ON a.type = b.type) SELECT * FROM t",
        "value,value",
        "1.0,1.0",
    ),
    ("WITH t AS (SELECT value, value FROM events) SELECT count(*) FROM t", "count(*)", "1"),
    ("WITH t(a, b) AS (SELECT value, value FROM events) SELECT b, a FROM t", "b,a", "1.0,1.0"),
    ("SELECT a.value, b.value FROM events a JOIN events b ON a.type = b.type", "value,value", "1.0,1.0"),
    ("SELECT value, value FROM events UNION ALL SELECT 2, 3 ORDER BY 1 LIMIT 1", "value,value", "1.0,1.0"),
    ("SELECT DISTINCT value, value FROM events", "value,value", "1.0,1.0"),
    ("SELECT value AS type, type FROM events", "type,type", "1.0,t"),
    ("SELECT type, value, value FROM events ORDER BY value LIMIT 1", "type,value,value", "t,1.0,1.0"),
    (
        "SELECT timestamp::date, count(*) FROM events GROUP BY timestamp::date, timestamp",
        "timestamp,count(*)",
        "2024-01-01,1",
    ),
    ("SELECT type, count(*) FROM events GROUP BY type, 1, type", "type,count(*)", "t,1"),
    ("SELECT value::text, count(*) FROM events GROUP BY value::text, value", "value,count(*)", "1.0,1"),
    (
        "SELECT value::numeric(10,2), count(*) FROM events GROUP BY value::numeric(10,2), value",
        "value,count(*)",
        "1.00,1",
    ),
    (
        "SELECT try_cast(value AS varchar(9)) AS v FROM events GROUP BY try_cast(value AS varchar(9)), value",
        "v",
        "1.0",
    ),
    (
        "SELECT timestamp::timestamp(0), 1 AS n FROM events GROUP BY timestamp::timestamp(0), timestamp",
        "timestamp,n",
        "2024-01-01T00:00:00,1",
    ),
    (
        "WITH t AS (SELECT value::text, count(*) AS n FROM events GROUP BY value::text, value) SELECT sum(n) AS n FROM t",
        "n",
        "1",
    ),
    (
        "SELECT 'infinity'::timestamp AS a, 'infinity'::date AS b, value::int, value FROM events",
        "a,b,value,value",
        "9999-12-31T00:00:00,9999-12-31,1,1.0",
    ),
    (
        "SELECT x::timestamp, x::date FROM (VALUES ('2024-01-01 12')) AS t(x)",
        "x,x",
        "2024-01-01T12:00:00,2024-01-01",
    ),
    ("SELECT DISTINCT value::int, value FROM events ORDER BY value::int", "value,value", "1,1.0"),
    (
        "SELECT a.value, (SELECT max(b.value) AS value FROM events b), count(*) FROM events a GROUP BY 1, 2",
        "value,value,count(*)",
        "1.0,1.0,1",
    ),
    (
        "SELECT (SELECT b.type FROM events b LIMIT 1) AS x, type, count(*) FROM events GROUP BY 1, 2",
        "x,type,count(*)",
        "t,t,1",
    ),
    ("SELECT DISTINCT timestamp::date AS d FROM events ORDER BY CAST(timestamp AS date)", "d", "2024-01-01"),
    // What asks about rows has the name of its operator, for DataFusion.
    (
        "SELECT value IN (SELECT 1.0) AS a, value NOT IN (SELECT 2.0) AS b, value IN (SELECT NULL::double) AS c, count(*)
         FROM events GROUP BY 1, 2, 3",
        "a,b,c,count(*)",
        "true,true,,1",
    ),
    (
        "SELECT EXISTS (SELECT 1), EXISTS (SELECT 2 WHERE false)",
        "EXISTS (SELECT 1),EXISTS (SELECT 2 WHERE false)",
        "true,false",
    ),
    (
        "SELECT value IN (SELECT 1.0), type IN (SELECT 'u') FROM events",
        "value IN (SELECT 1.0),type IN (SELECT 'u')",
        "true,false",
    ),
    (
        "SELECT EXISTS (SELECT 1 FROM events b WHERE b.value > a.value) AS x, NOT EXISTS (SELECT 1 FROM events b WHERE b.value < a.value) AS y,
         EXISTS (SELECT 1) AS z, count(*) FROM events a
         GROUP BY EXISTS (SELECT 1 FROM events b WHERE b.value > a.value), NOT EXISTS (SELECT 1 FROM events b WHERE b.value < a.value), 3",
        "x,y,z,count(*)",
        "false,true,true,1",
    ),
    (
        "SELECT value = ANY (SELECT value FROM events) AS a, value > ALL (SELECT 0.5) AS b, value > ALL (SELECT 1.5) AS c, count(*)
         FROM events GROUP BY 1, 2, 3 HAVING value = ANY (SELECT value FROM events) ORDER BY value > ALL (SELECT 1.5)",
        "a,b,c,count(*)",
        "true,true,false,1",
    ),
    ("SELECT count(value IN (SELECT 1.0)) AS a, sum((type IN (SELECT 'u'))::int) AS b FROM events", "a,b", "1,0"),
    (
        "SELECT (SELECT max(value) FROM events), (SELECT max(value) FROM events WHERE type = 'u'), count(*) FROM events GROUP BY 1, 2",
        "max(value),max(value),count(*)",
        "1.0,,1",
    ),
    (
        "SELECT value > (SELECT 0.5) AS a, value > (SELECT 1.5) AS b, count(*) FROM events GROUP BY 1, 2",
        "a,b,count(*)",
        "true,false,1",
    ),
    (
        "SELECT value IN (SELECT x FROM (VALUES (1.0), (2.0)) t(x) WHERE x IN (SELECT 1.0)) AS a, value IN (SELECT 2.0) AS b, count(*)
         FROM events GROUP BY 1, 2",
        "a,b,count(*)",
        "true,false,1",
    ),
];

#[tokio::test]
async fn columns_may_have_one_name() {
    let fixture = Fixture::new().await;
    fixture.append(&[event(START, "a", "t", 1.0)]).await;
    let mut wrong = vec![];
    for (sql, names, values) in TWINS {
        let found = match fixture.try_rows(sql, vec![]).await {
            Ok(rows) => (joined_names(&rows[0].schema()), joined_values(&rows[0])),
            Err(error) => (error.to_string(), String::new()),
        };
        if found != (names.to_owned(), values.to_owned()) {
            wrong.push(format!("{sql}\n    gave {found:?}"));
            continue;
        }
        let announced = fixture.queries.schema(sql).await.unwrap().result;
        assert_eq!(joined_names(&announced), names, "{sql}");
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn joined_names(schema: &Schema) -> String {
    schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(",")
}

fn joined_values(rows: &RecordBatch) -> String {
    let values = rows.columns().iter().map(|column| array_value_to_string(column, 0).unwrap());
    values.collect::<Vec<_>>().join(",")
}

#[tokio::test]
async fn a_join_of_all_columns_may_be_a_subquery() {
    let fixture = Fixture::new().await;
    fixture.append(&[event(START, "a", "t", 1.0)]).await;
    for sql in [
        "SELECT * FROM events a JOIN events b USING (device_id)",
        "SELECT * FROM (SELECT * FROM events a JOIN events b ON a.type = b.type) AS t",
        "WITH t AS (SELECT * FROM events a JOIN events b ON a.type = b.type) SELECT * FROM t",
        "SELECT t.*, 1 FROM (SELECT * FROM events a, events b) t",
    ] {
        let rows = fixture.rows(sql).await;
        assert!(rows[0].num_columns() > 8, "{sql}");
        assert!(rows[0].schema().fields().iter().all(|field| !field.name().contains("__")), "{sql}");
    }
}

#[tokio::test]
async fn a_name_that_two_columns_have_cannot_be_asked_for() {
    let fixture = Fixture::new().await;
    for sql in [
        "SELECT value FROM (SELECT a.value, b.value FROM events a JOIN events b ON a.type = b.type) AS t",
        "WITH t AS (SELECT 1 AS x, 2 AS x) SELECT x FROM t",
    ] {
        let error = fixture.refusal(sql).await;
        assert!(error.message.contains("give them names of their own with AS"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn results_without_duplicates_are_ordered_by_casts() {
    let fixture = ten_events().await;
    let days = "2024-01-01; 2024-01-02";
    expect(
        &fixture,
        &[
            ("SELECT DISTINCT timestamp::date FROM events ORDER BY timestamp::date", days),
            ("SELECT DISTINCT (timestamp::date) FROM events e ORDER BY CAST(e.timestamp AS DATE)", days),
            ("SELECT DISTINCT timestamp::date FROM events ORDER BY timestamp", days),
            ("SELECT timestamp::date FROM events UNION SELECT timestamp::date FROM events ORDER BY timestamp", days),
            ("SELECT DISTINCT value::int FROM events ORDER BY value::int DESC LIMIT 2", "7; 6"),
            ("SELECT DISTINCT timestamp::date, type::text FROM events ORDER BY type::text DESC, timestamp::date LIMIT 3", "2024-01-01 c; 2024-01-02 c; 2024-01-01 b"),
            ("SELECT value::int FROM events EXCEPT SELECT -2 ORDER BY value LIMIT 1", "-1"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_name_after_a_star_must_be_that_of_a_column() {
    let fixture = ten_events().await;
    let first = "FROM (SELECT value, type FROM events ORDER BY value LIMIT 1) AS t";
    expect(
        &fixture,
        &[
            (&format!("SELECT * REPLACE (value * 2 AS Value) {first}"), "-4.0 a"),
            (&format!("SELECT t.* REPLACE (value AS value) {first}"), "-2.0 a"),
            (&format!("SELECT * EXCLUDE (Value) {first}"), "a"),
            (&format!("SELECT t.* EXCEPT (TYPE) {first}"), "-2.0"),
        ],
    )
    .await;
    for (sql, words) in [
        (
            "SELECT * EXCLUDE (vale) FROM events",
            "No field named vale. Did you mean 'events.value'? Valid fields are events.timestamp",
        ),
        (
            "SELECT e.* EXCEPT (vale, type) FROM events e",
            "Did you mean 'e.value'? Valid fields are e.timestamp",
        ),
        ("SELECT * REPLACE (value * 2 AS vale) FROM events", "REPLACE names 'vale'"),
        (
            "SELECT count(*) FROM (SELECT e.* REPLACE (1 AS value, 2 AS vale) FROM events e) AS t",
            "REPLACE names 'vale'",
        ),
    ] {
        let error = fixture.refusal(sql).await;
        assert!(error.message.contains(words), "{sql}: {error}");
    }
}
