//! Which statements run, and what the others are told.

use hexflight_planner::{QueryErrorKind, ScalarValue};
use insta::assert_snapshot;

use crate::support::{Fixture, START, event};

#[tokio::test]
async fn statements_that_read_run() {
    let fixture = Fixture::new().await;
    fixture.append(&[event(START, "a", "temperature", 1.0)]).await;
    for sql in [
        "SELECT * FROM events",
        "SELECT count(*) FROM hexflight.public.events",
        "WITH hot AS (SELECT * FROM events WHERE value > 0) SELECT count(*) FROM hot",
        "VALUES (1), (2)",
        "SELECT 1;",
        "EXPLAIN SELECT * FROM events",
        "EXPLAIN ANALYZE SELECT * FROM events",
        "SHOW TABLES",
        "SHOW COLUMNS FROM events",
        "SHOW ALL",
        "SHOW datafusion.execution.time_zone",
        "DESCRIBE events",
        "SELECT * FROM information_schema.columns",
    ] {
        let rows = fixture.rows(sql).await;
        assert!(rows.iter().any(|batch| batch.num_rows() > 0), "{sql}");
        fixture.queries.schema(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

#[tokio::test]
async fn statements_that_do_more_are_refused_by_name() {
    let fixture = Fixture::new().await;
    for sql in [
        "COPY events TO 'x.parquet'",
        "CREATE TABLE x AS SELECT 1",
        "CREATE EXTERNAL TABLE x STORED AS PARQUET LOCATION '/tmp'",
        "CREATE VIEW x AS SELECT 1",
        "CREATE FUNCTION f() RETURNS INT RETURN 1",
        "INSERT INTO events SELECT * FROM events",
        "UPDATE events SET value = 1",
        "DELETE FROM events",
        "DROP TABLE events",
        "SET datafusion.execution.batch_size = 1",
        "RESET datafusion.execution.batch_size",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "DEALLOCATE p",
        "BEGIN",
        "USE x",
    ] {
        let name = sql.split(' ').next().unwrap();
        for sql in [sql.to_owned(), sql.to_lowercase()] {
            let error = fixture.refusal(&sql).await;
            assert_eq!(error.kind, QueryErrorKind::Invalid);
            let expected = format!("{name} is not allowed; allowed are SELECT, EXPLAIN, SHOW and DESCRIBE");
            assert_eq!(error.message, expected, "{sql}");
        }
    }
}

#[tokio::test]
async fn writes_inside_a_query_are_refused() {
    let fixture = Fixture::new().await;
    for sql in [
        "EXPLAIN INSERT INTO events SELECT * FROM events",
        "EXPLAIN ANALYZE COPY events TO 'x.parquet'",
        "SELECT 1 INTO x",
        "WITH x AS (INSERT INTO events SELECT * FROM events) SELECT 1",
        "SELECT 1; DROP TABLE events",
        "",
        "-- nothing",
    ] {
        assert_eq!(fixture.refusal(sql).await.kind, QueryErrorKind::Invalid, "{sql}");
    }
    assert_snapshot!(fixture.refusal("EXPLAIN INSERT INTO events SELECT 1").await, @"INSERT is not allowed; allowed are SELECT, EXPLAIN, SHOW and DESCRIBE");
    assert_snapshot!(fixture.refusal("SELECT 1 INTO x").await, @"this SELECT would write; only reading is allowed: DDL not supported: CreateMemoryTable");
    assert_snapshot!(fixture.refusal("SELECT 1; SELECT 2").await, @"2 statements given; send them one at a time");
    assert_snapshot!(fixture.refusal(" ").await, @"no statement given");
}

#[tokio::test]
async fn mistakes_are_invalid_and_told_in_one_clean_sentence() {
    let fixture = Fixture::new().await;
    fixture.append_to_files(&[event(START, "a", "temperature", 1.0)]).await;
    fixture.append(&[event(START, "a", "temperature", 1.0)]).await;
    let mut told = String::new();
    for sql in [
        "SELEC 1",
        "SELECT FROM WHERE",
        "SELECT foo FROM events",
        "SELECT nofn(1)",
        "SELECT * FROM nope",
        "SELECT * FROM '/etc/passwd'",
        "SELECT 1/0",
        "SELECT 1/(value::int - 1) FROM events",
        "SELECT count(*) FROM events WHERE 1/(value::int - 1) > 0",
        "SELECT CAST('a' AS INT)",
        "SELECT count(*) FROM events WHERE CAST(type AS INT) = 1",
        "SELECT CAST(device_id AS INT) FROM events",
        "SELECT sum(type) FROM events",
        "SELECT * FROM events WHERE value = ?",
    ] {
        let error = fixture.refusal(sql).await;
        assert_eq!(error.kind, QueryErrorKind::Invalid, "{sql}: {error}");
        told.push_str(&format!("{sql}\n    {error}\n"));
    }
    assert_snapshot!(told, @r##"
    SELEC 1
        sql parser error: Expected: an SQL statement, found: SELEC at Line: 1, Column: 1
    SELECT FROM WHERE
        table 'hexflight.public.where' not found
    SELECT foo FROM events
        No field named foo. Valid fields are events.timestamp, events.device_id, events.type, events.value, events.latitude, events.longitude, events.h3, events.metadata.
    SELECT nofn(1)
        there is no function 'nofn'; SHOW FUNCTIONS lists all
    SELECT * FROM nope
        table 'hexflight.public.nope' not found
    SELECT * FROM '/etc/passwd'
        table 'hexflight.public./etc/passwd' not found
    SELECT 1/0
        division by zero
    SELECT 1/(value::int - 1) FROM events
        division by zero
    SELECT count(*) FROM events WHERE 1/(value::int - 1) > 0
        division by zero
    SELECT CAST('a' AS INT)
        Cannot cast string 'a' to value of Int32 type
    SELECT count(*) FROM events WHERE CAST(type AS INT) = 1
        Cannot cast string 'temperature' to value of Int32 type
    SELECT CAST(device_id AS INT) FROM events
        Cannot cast string 'a' to value of Int32 type
    SELECT sum(type) FROM events
        no function matches the given name and argument types 'sum(Utf8View)'. You might need to add explicit type casts.
    SELECT * FROM events WHERE value = ?
        the statement has 1 parameters, 0 values were given
    "##);
}

#[tokio::test]
async fn metadata_is_queried_with_json_operators() {
    let fixture = Fixture::new().await;
    let mut first = event(START, "a", "temperature", 1.0);
    first.metadata = Some(r#"{"site": {"floor": 3}, "tags": ["x"], "name": "north"}"#.to_owned());
    fixture.append_to_files(&[first.clone()]).await;
    fixture.append(&[event(START + 1, "b", "temperature", 2.0)]).await;
    assert_eq!(fixture.value("SELECT metadata->>'name' FROM events WHERE device_id = 'a'").await, "north");
    assert_eq!(
        fixture.value("SELECT metadata->'site'->>'floor' FROM events WHERE metadata ? 'site'").await,
        "3"
    );
    assert_eq!(
        fixture.value("SELECT count(*) FROM events WHERE (metadata->'site'->'floor')::int = 3").await,
        "1"
    );
    assert_eq!(
        fixture.value("SELECT json_length(metadata) FROM events WHERE metadata IS NOT NULL").await,
        "3"
    );
    let params = vec![ScalarValue::from("name"), ScalarValue::from("north")];
    let sql = "SELECT device_id FROM events WHERE metadata ? ? AND metadata->>'name' = ?";
    let rows = fixture.rows_with(sql, params).await;
    assert_eq!(crate::support::first_value(&rows), "a");
}

#[tokio::test]
async fn tables_are_listed_with_their_columns() {
    let fixture = Fixture::new().await;
    let tables = fixture.queries.tables();
    assert_eq!(tables.len(), 1);
    assert_eq!(tables[0].0.as_str(), "events");
    assert_eq!(tables[0].1.fields().len(), 8);
    assert_eq!((fixture.queries.catalog_name(), fixture.queries.schema_name()), ("hexflight", "public"));
}
