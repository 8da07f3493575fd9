//! Which statements run, and what the others are told.

use hexflight_planner::QueryErrorKind;

use crate::support::{Fixture, START, event};

#[tokio::test]
async fn smoke() {
    let fixture = Fixture::new().await;
    fixture.append_to_files(&[event(START, "a", "temperature", 1.0)]).await;
    fixture.append(&[event(START + 1, "b", "humidity", 2.0)]).await;
    for sql in [
        "SELECT 1",
        "SELECT * FROM events",
        "SELECT count(*) FROM events",
        "EXPLAIN SELECT count(*) FROM events",
        "EXPLAIN SELECT * FROM events WHERE type='humidity'",
        "EXPLAIN ANALYZE SELECT * FROM events WHERE type='humidity'",
        "SHOW TABLES",
        "DESCRIBE events",
        "SHOW COLUMNS FROM events",
        "SHOW ALL",
        "VALUES (1),(2)",
        "SELECT * FROM information_schema.tables",
        "SELECT type, count(*), avg(value) FROM events WHERE timestamp > '2023-12-01' GROUP BY type ORDER BY 1",
        "EXPLAIN SELECT type, count(*), avg(value) FROM events WHERE timestamp > '2023-12-01' GROUP BY type ORDER BY 1",
        "EXPLAIN ANALYZE SELECT * FROM events ORDER BY timestamp DESC LIMIT 1",
        "EXPLAIN SELECT * FROM events a JOIN events b ON a.device_id=b.device_id WHERE b.value>1",
        "SHOW VARIABLES", "SHOW FUNCTIONS LIKE 'json_get'", "SHOW CREATE TABLE events", "SHOW time_zone",
    ] {
        match fixture.try_rows(sql, vec![]).await {
            Ok(r) => println!("{sql}\n{}", arrow::util::pretty::pretty_format_batches(&r).unwrap().to_string().chars().take(3000).collect::<String>()),
            Err(e) => println!("{sql}\nERR {e:?}"),
        }
    }
    for sql in ["COPY events TO 'x.parquet'", "CREATE TABLE x AS SELECT 1", "SELECT 1; SELECT 2", "", "INSERT INTO events VALUES (1)", "SELEC 1", "SELECT foo FROM events", "SELECT nofn(1)", "SELECT 1/0", "SELECT cast('a' as int)", "select * from nope", "SET x = 1", "EXPLAIN INSERT INTO events SELECT * FROM events", "DROP TABLE events", "PREPARE p AS SELECT 1", "EXECUTE p", "select 1 into x", "WITH x AS (INSERT INTO events SELECT * FROM events) SELECT 1", "BEGIN", "DELETE FROM events", "UPDATE events SET value=1", "RESET x", "CREATE EXTERNAL TABLE x STORED AS PARQUET LOCATION '/tmp'", "SELECT count(*) FROM events WHERE 1/(value::int-1)>0", "SELECT * FROM '/etc/passwd'", "USE x", "CREATE FUNCTION f() RETURNS int RETURN 1", "SELECT * FROM events LIMIT 1/0"] {
        println!("{sql}: {:?}", fixture.try_rows(sql, vec![]).await.map(|_| ()));
    }
    let _ = QueryErrorKind::Invalid;
}
