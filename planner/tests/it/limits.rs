//! x
use crate::support::*;
use std::time::Instant;

#[tokio::test]
async fn deep() {
    let f = Fixture::new().await;
    let n: usize = std::env::var("N").ok().and_then(|n| n.parse().ok()).unwrap_or(900);
    let cases: Vec<(&str, String)> = vec![
        ("sum500", format!("SELECT {}", vec!["1"; 500].join("+"))),
        ("sum2000", format!("SELECT {}", vec!["1"; 2000].join("+"))),
        ("sumcol2000", format!("SELECT {} FROM events", vec!["value"; 2000].join("+"))),
        ("sum5000", format!("SELECT {}", vec!["1"; n].join("+"))),
        ("sumcol5000", format!("SELECT {} FROM events", vec!["value"; n].join("+"))),
        ("and5000", format!("SELECT count(*) FROM events WHERE {}", vec!["value>1"; n].join(" AND "))),
        (
            "or5000",
            format!(
                "SELECT count(*) FROM events WHERE {}",
                (0..n).map(|i| format!("value={i}")).collect::<Vec<_>>().join(" OR ")
            ),
        ),
        (
            "in9000",
            format!(
                "SELECT count(*) FROM events WHERE value IN ({})",
                (0..9000).map(|i| format!("{i}")).collect::<Vec<_>>().join(",")
            ),
        ),
        ("parens", format!("SELECT {}1{}", "(".repeat(9000), ")".repeat(9000))),
        ("parens60", format!("SELECT {}1{}", "(".repeat(60), ")".repeat(60))),
        ("not", format!("SELECT {} true", "NOT ".repeat(9000))),
        ("minus", format!("SELECT {}1", "- ".repeat(9000))),
        ("subq", format!("{}SELECT 1{}", "SELECT * FROM (".repeat(3000), ")".repeat(3000))),
        ("subq30", format!("{}SELECT 1 AS x{}", "SELECT * FROM (".repeat(30), ")".repeat(30))),
        ("casts", format!("SELECT 1{}", "::int".repeat(n))),
        ("casts2000", format!("SELECT 1{}", "::int".repeat(2000))),
        ("json", format!("SELECT metadata{} FROM events", "->'a'".repeat(n))),
        ("union", format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(4000))),
        ("union500", format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(500))),
        (
            "joins",
            format!(
                "SELECT count(*) FROM events e0{}",
                (1..60).map(|i| format!(" JOIN events e{i} ON e{i}.value = e0.value")).collect::<String>()
            ),
        ),
        ("explain", format!("{}SELECT 1", "EXPLAIN ".repeat(9000))),
        ("case", format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(3000), " END".repeat(3000))),
        ("concat5000", format!("SELECT {}", vec!["'a'"; n].join("||"))),
        ("isnull", format!("SELECT 1{}", " IS NULL".repeat(n))),
        ("index", format!("SELECT x{} FROM (SELECT 1 AS x)", "[1]".repeat(6000))),
        ("arr", format!("SELECT {}1{}", "ARRAY[".repeat(5000), "]".repeat(5000))),
        ("types", format!("SELECT CAST(1 AS {}INT{})", "ARRAY<".repeat(5000), ">".repeat(5000))),
        (
            "cols5000",
            format!(
                "SELECT {} FROM events",
                (0..5000).map(|i| format!("value v{i}")).collect::<Vec<_>>().join(",")
            ),
        ),
        ("desc", format!("{} SELECT 1", "DESCRIBE ".repeat(9000))),
        (
            "with",
            format!(
                "WITH a0 AS (SELECT 1 x){} SELECT * FROM a400",
                (1..=400).map(|i| format!(", a{i} AS (SELECT * FROM a{})", i - 1)).collect::<String>()
            ),
        ),
        (
            "withexp",
            format!(
                "WITH a0 AS (SELECT 1 x){} SELECT count(*) FROM a10",
                (1..=10)
                    .map(|i| format!(
                        ", a{i} AS (SELECT * FROM a{} UNION ALL SELECT * FROM a{})",
                        i - 1,
                        i - 1
                    ))
                    .collect::<String>()
            ),
        ),
    ];
    let only = std::env::var("CASE").ok();
    for (name, sql) in cases {
        if only.as_ref().is_some_and(|o| !name.starts_with(o.as_str())) {
            continue;
        }
        let t = Instant::now();
        eprintln!("{name} ...");
        let r = f.try_rows(&sql, vec![]).await;
        let text = match r {
            Ok(b) => format!("ok {}", b.len()),
            Err(e) => format!("{:?} {}", e.kind, e.message.chars().take(150).collect::<String>()),
        };
        eprintln!("{name}: {:?} {text}", t.elapsed());
    }
}
