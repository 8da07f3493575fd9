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
        ("f_abs", format!("SELECT {}value{} FROM events", "abs(".repeat(n), ")".repeat(n))),
        ("f_coalesce", format!("SELECT {}value{} FROM events", "coalesce(".repeat(n), ",1)".repeat(n))),
        ("f_jsonget", format!("SELECT {}metadata{} FROM events", "json_get(".repeat(n), ",'a')".repeat(n))),
        ("f_upper", format!("SELECT {}type{} FROM events", "upper(".repeat(n), ")".repeat(n))),
        ("f_case", format!("SELECT {}value{} FROM events", "CASE WHEN true THEN ".repeat(n), " ELSE 1.0 END".repeat(n))),
        ("f_nullif", format!("SELECT {}value{} FROM events", "nullif(".repeat(n), ",1)".repeat(n))),
        ("f_array", format!("SELECT {}value{} FROM events", "[".repeat(n), "]".repeat(n))),
        ("f_struct", format!("SELECT {}value{} FROM events", "struct(".repeat(n), ")".repeat(n))),
        ("f_alias", format!("{}SELECT value+1 AS x FROM events{}", "SELECT x+1 AS x FROM (".repeat(n), ")".repeat(n))),
        ("f_alias2", format!("{}SELECT value+1 AS x FROM events{}", "SELECT x+x AS x FROM (".repeat(n), ")".repeat(n))),
        ("f_window", format!("{}SELECT value+1 AS x FROM events{}", "SELECT sum(x+1) OVER (ORDER BY x) AS x FROM (".repeat(n), ")".repeat(n))),
        ("f_in", format!("SELECT 1 FROM events WHERE {}1=1{}", "value IN (SELECT value FROM events WHERE ".repeat(n), ")".repeat(n))),
        ("f_exists", format!("SELECT 1 FROM events e WHERE {}1=1{}", "EXISTS (SELECT value FROM events WHERE value=e.value AND ".repeat(n), ")".repeat(n))),
        ("f_between", format!("SELECT {}value{} FROM events", "(".repeat(n), " BETWEEN 1 AND 2)::double".repeat(n))),
        ("f_extract", format!("SELECT {}timestamp{} FROM events", "date_trunc('hour',".repeat(n), ")".repeat(n))),
        ("f_interval", format!("SELECT timestamp{} FROM events", " + interval '1 hour'".repeat(n))),
        ("f_not", format!("SELECT {} value>1 FROM events", "NOT".repeat(n))),
        ("f_cube", format!("SELECT count(*) FROM events GROUP BY CUBE({})", (0..n).map(|i| format!("value+{i}")).collect::<Vec<_>>().join(","))),
        ("f_contains", format!("SELECT metadata FROM events WHERE {}", vec!["metadata ? 'a'"; n].join(" AND "))),
        ("f_sets", format!("SELECT 1{}", " UNION SELECT 1".repeat(n))),
        ("f_except", format!("SELECT 1{}", " EXCEPT SELECT 1".repeat(n))),
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
