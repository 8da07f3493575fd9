//! `lead` and `lag` with IGNORE NULLS against a naive model, and frames that are refused.

use arrow::array::AsArray;
use arrow::datatypes::Float64Type;

use hexflight_engine::EngineOptions;
use hexflight_planner::QueryOptions;

use crate::support::{Event, Fixture, Random, START, event};

const OFFSETS: [i64; 7] = [0, 1, 2, 3, -1, -2, 40];

#[tokio::test]
async fn lead_and_lag_skip_nulls() {
    let fixture = Fixture::new().await;
    let events = gappy_events();
    fixture.append_to_files(&events[..15]).await;
    fixture.append(&events[15..]).await;
    for offset in OFFSETS {
        for (name, ahead) in [("lead", offset), ("lag", -offset)] {
            for descending in [false, true] {
                let mut rows = events.clone();
                if descending {
                    rows.reverse();
                }
                let expected: Vec<_> = (0..rows.len()).map(|row| skipping(&rows, row, ahead)).collect();
                let order = if descending { "timestamp DESC" } else { "timestamp" };
                let call = format!(
                    "{name}(latitude, {offset}) IGNORE NULLS OVER (PARTITION BY type ORDER BY {order})"
                );
                for limit in [1, 4, 30] {
                    let sql = format!("SELECT {call} AS v FROM events ORDER BY {order} LIMIT {limit}");
                    assert_eq!(numbers(&fixture, &sql).await, expected[..limit], "{sql}");
                }
                let sql =
                    format!("SELECT v FROM (SELECT timestamp, {call} AS v FROM events) q ORDER BY {order}");
                assert_eq!(numbers(&fixture, &sql).await, expected, "{sql}");
            }
        }
    }
}

#[tokio::test]
async fn lead_and_lag_take_a_default() {
    let fixture = Fixture::new().await;
    fixture.append(&gappy_events()).await;
    let last = "SELECT lead(value, 1, -9.0) OVER (ORDER BY timestamp) AS v FROM events ORDER BY timestamp DESC LIMIT 1";
    assert_eq!(numbers(&fixture, last).await, [Some(-9.0)]);
    let first = "SELECT lag(latitude, 1, -9.0) IGNORE NULLS OVER (ORDER BY timestamp) AS v FROM events ORDER BY timestamp LIMIT 1";
    assert_eq!(numbers(&fixture, first).await, [Some(-9.0)]);
}

#[tokio::test]
async fn negative_offsets_of_a_range_are_refused() {
    let fixture = Fixture::new().await;
    fixture.append(&gappy_events()).await;
    for frame in [
        "ORDER BY timestamp RANGE BETWEEN INTERVAL '-1 minute' PRECEDING AND CURRENT ROW",
        "ORDER BY timestamp RANGE BETWEEN CURRENT ROW AND INTERVAL '-1 minute' FOLLOWING",
        "ORDER BY timestamp RANGE BETWEEN INTERVAL '1 day -30 hours' PRECEDING AND CURRENT ROW",
    ] {
        let error = fixture.refusal(&format!("SELECT count(*) OVER ({frame}) FROM events")).await;
        assert!(error.message.contains("must not be negative"), "{frame}: {error}");
    }
    let frame = "ORDER BY timestamp RANGE BETWEEN INTERVAL '1 month -1 day' PRECEDING AND CURRENT ROW";
    fixture.rows(&format!("SELECT count(*) OVER ({frame}) FROM events")).await;
}

/// Enough for several batches: what is answered before the last of them must not miss it.
#[tokio::test]
async fn rows_without_a_key_are_peers_in_every_range() {
    let options = QueryOptions { batch_rows: 64, target_partitions: 2, ..QueryOptions::default() };
    let fixture = Fixture::with(EngineOptions::default(), options).await;
    let events: Vec<_> = (0..1_000_u32)
        .map(|number| Event {
            place: (number % 10 == 0).then(|| (f64::from(number % 30), 0.0)),
            ..event(START + i64::from(number), "device", if number % 2 == 0 { "a" } else { "b" }, 1.0)
        })
        .collect();
    fixture.append(&events).await;
    for order in ["", " DESC", " NULLS FIRST", " DESC NULLS LAST"] {
        for (partition, peers) in [("", 900.0), ("PARTITION BY type ", 450.0)] {
            for frame in [
                "1 PRECEDING AND 1 PRECEDING",
                "90 PRECEDING AND 0.5 PRECEDING",
                "1 FOLLOWING AND 2 FOLLOWING",
            ] {
                let window = format!("{partition}ORDER BY latitude{order} RANGE BETWEEN {frame}");
                let sql = format!(
                    "SELECT min(s), max(s) FROM (SELECT latitude, sum(value) OVER ({window}) AS s FROM events) q WHERE latitude IS NULL"
                );
                let rows = fixture.rows(&sql).await;
                let column = |index: usize| rows[0].column(index).as_primitive::<Float64Type>().value(0);
                let all = if partition.is_empty() { (peers, peers) } else { (400.0, 500.0) };
                assert_eq!((column(0), column(1)), all, "{sql}");
            }
        }
    }
}

/// The value `ahead` rows further of the row's type that is not null; of the row itself for 0.
fn skipping(rows: &[Event], row: usize, ahead: i64) -> Option<f64> {
    let latitude = |event: &Event| event.place.map(|place| place.0);
    let of_type = |event: &&Event| event.kind == rows[row].kind;
    let steps = usize::try_from(ahead.unsigned_abs()).unwrap();
    match ahead {
        0 => latitude(&rows[row]),
        1.. => rows[row + 1..].iter().filter(of_type).filter_map(latitude).nth(steps - 1),
        _ => rows[..row].iter().rev().filter(of_type).filter_map(latitude).nth(steps - 1),
    }
}

async fn numbers(fixture: &Fixture, sql: &str) -> Vec<Option<f64>> {
    let batches = fixture.rows(sql).await;
    batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Float64Type>().iter()).collect()
}

fn gappy_events() -> Vec<Event> {
    let mut random = Random(11);
    (0..30_u32)
        .map(|number| Event {
            place: (random.below(3) > 0).then(|| (f64::from(number), 0.0)),
            ..event(
                START + i64::from(number) * 1_000_000,
                "device",
                if random.below(2) == 0 { "a" } else { "b" },
                f64::from(number),
            )
        })
        .collect()
}

#[tokio::test]
async fn distinct_on_sorts_by_a_key_that_stands_twice() {
    let fixture = Fixture::new().await;
    fixture.append(&gappy_events()).await;
    let newest = |order: &str| {
        format!("SELECT DISTINCT ON (type) type, value AS v FROM events ORDER BY type, timestamp DESC{order}")
    };
    let once = fixture.rows(&newest("")).await;
    for twice in [", timestamp", ", timestamp DESC, type"] {
        assert_eq!(fixture.rows(&newest(twice)).await, once, "{twice}");
    }
}
