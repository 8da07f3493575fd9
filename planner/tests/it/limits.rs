//! Texts that would take the stack, the memory or the afternoon of a planner: each gets an answer or a clear refusal.

use std::time::{Duration, Instant};

use hexflight_planner::QueryErrorKind;
use insta::assert_snapshot;

use crate::support::{Fixture, START, event};

/// Far above what any of these takes even unoptimised; without a bound they take hours.
const TIME_MAX: Duration = Duration::from_secs(60);

#[tokio::test]
async fn reasonable_depth_is_planned() {
    let fixture = Fixture::new().await;
    fixture.append(&[event(START, "a", "temperature", 1.0)]).await;
    assert_eq!(fixture.value(&format!("SELECT {}", chain("1", "+", 300))).await, "300");
    assert_eq!(
        fixture
            .value(&format!("SELECT count(*) FROM events WHERE {}", chain("value = 1", " OR ", 300)))
            .await,
        "1"
    );
    assert_eq!(fixture.value(&format!("SELECT {}1{}", "(".repeat(16), ")".repeat(16))).await, "1");
    assert_eq!(fixture.value(&nested("abs(", "value", ")", 10)).await, "1.0");
    assert_eq!(fixture.value(&nested("coalesce(", "value", ", 1)", 6)).await, "1.0");
    let subqueries = format!(
        "SELECT count(*) FROM events WHERE {}true{}",
        "value IN (SELECT value FROM events WHERE ".repeat(6),
        ")".repeat(6)
    );
    assert_eq!(fixture.value(&subqueries).await, "1");
    let list: Vec<String> = (0..5_000).map(|number| number.to_string()).collect();
    assert_eq!(
        fixture.value(&format!("SELECT count(*) FROM events WHERE value IN ({})", list.join(","))).await,
        "1"
    );
}

#[tokio::test]
async fn five_thousand_terms_are_refused_clearly() {
    let fixture = Fixture::new().await;
    let refusal = async |sql: String| fixture.refusal(&sql).await.message;
    assert_snapshot!(refusal(format!("SELECT {}", chain("1", "+", 5_000))).await, @"the statement has 4999 operators in one chain; at most 1000 are allowed");
    assert_snapshot!(refusal(format!("SELECT 1{}", "::int".repeat(5_000))).await, @"the statement has 5000 operators in one chain; at most 1000 are allowed");
    assert_snapshot!(refusal(format!("SELECT 1{}", " IS NULL".repeat(5_000))).await, @"the statement has 5000 operators in one chain; at most 1000 are allowed");
    assert_snapshot!(refusal(format!("SELECT metadata{} FROM events", "->'a'".repeat(13))).await, @"the statement has 13 JSON operators in one chain; at most 12 are allowed");
    assert_snapshot!(refusal(nested("(", "value", " BETWEEN 1 AND 2)::double", 9)).await, @"the statement has 9 levels of BETWEEN or coalesce; at most 8 are allowed");
    assert_snapshot!(refusal(format!("SELECT {}1{}", "(".repeat(17), ")".repeat(17))).await, @"the statement has 17 levels of brackets; at most 16 are allowed");
    assert_snapshot!(refusal(format!("SELECT CAST(1 AS {}INT{})", "ARRAY<".repeat(5_000), ">".repeat(5_000))).await, @"the statement has 5000 nested types; at most 16 are allowed");
    assert_snapshot!(refusal(format!("SELECT {}", vec!["1"; 20_000].join(","))).await, @"the statement has 40000 tokens; at most 20000 are allowed");
    assert_snapshot!(refusal(format!("SELECT '{}'", "x".repeat(1 << 20))).await, @"the statement has 1048585 bytes; at most 1048576 are allowed");
    assert_snapshot!(refusal(format!("{}SELECT 1", "EXPLAIN ".repeat(5_000))).await, @"the statement has 5000 uses of EXPLAIN; at most 8 are allowed");
}

#[tokio::test]
async fn plans_that_outgrow_their_text_are_refused_clearly() {
    let fixture = Fixture::new().await;
    let refusal = async |sql: String| fixture.refusal(&sql).await.message;
    let doubled = |number: usize| {
        format!(", a{number} AS (SELECT * FROM a{0} UNION ALL SELECT * FROM a{0})", number - 1)
    };
    let doubled: String = (1..=30).map(doubled).collect();
    assert_snapshot!(refusal(format!("WITH a0 AS (SELECT 1){doubled} SELECT * FROM a30")).await, @"the statement has 1073741824 uses of tables; at most 2000 are allowed");
    let joins: String =
        (1..100).map(|number| format!(" JOIN events e{number} ON e{number}.value = e0.value")).collect();
    assert_snapshot!(refusal(format!("SELECT count(*) FROM events e0{joins}")).await, @"the statement has 65 joins; at most 64 are allowed");
    let columns: Vec<String> = (0..20).map(|number| format!("value + {number}")).collect();
    assert_snapshot!(refusal(format!("SELECT count(*) FROM events GROUP BY CUBE({})", columns.join(","))).await, @"the statement has 20 columns in CUBE; at most 10 are allowed");
}

/// Nothing here may overflow a stack, and a refusal is a refusal, not a failure.
#[tokio::test]
async fn hostile_texts_end() {
    let fixture = Fixture::new().await;
    for (name, sql) in [
        ("not", format!("SELECT {} true", "NOT ".repeat(9_000))),
        ("minus", format!("SELECT {}1", "- ".repeat(9_000))),
        ("brackets", format!("SELECT {}1{}", "(".repeat(9_000), ")".repeat(9_000))),
        ("open brackets", format!("SELECT {}", "(".repeat(9_000))),
        ("subqueries", format!("{}SELECT 1{}", "SELECT * FROM (".repeat(3_000), ")".repeat(3_000))),
        ("arrays", format!("SELECT {}1{}", "[".repeat(9_000), "]".repeat(9_000))),
        ("subscripts", format!("SELECT x{} FROM (SELECT 1 AS x)", "[1]".repeat(6_000))),
        ("case", format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(3_000), " END".repeat(3_000))),
        ("describe", format!("{} SELECT 1", "DESCRIBE ".repeat(9_000))),
        ("unions", format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(4_000))),
        ("tables", format!("SELECT 1 FROM events{}", ", events".repeat(9_000))),
        ("then", format!("SELECT then{}", " + then".repeat(9_000))),
        ("functions", nested("upper(", "type", ")", 16)),
        ("casts", format!("SELECT 1{}", "::int".repeat(900))),
    ] {
        let started = Instant::now();
        if let Err(error) = fixture.try_rows(&sql, vec![]).await {
            assert_eq!(error.kind, QueryErrorKind::Invalid, "{name}: {error}");
        }
        assert!(started.elapsed() < TIME_MAX, "{name} took {:?}", started.elapsed());
    }
}

fn chain(term: &str, operator: &str, count: usize) -> String {
    vec![term; count].join(operator)
}

fn nested(before: &str, inner: &str, after: &str, count: usize) -> String {
    format!("SELECT {}{inner}{} FROM events", before.repeat(count), after.repeat(count))
}
