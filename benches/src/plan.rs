//! `plan`: how long the product's queries take from text to physical plan, and where that time goes.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::Result;
use arrow::temporal_conversions::timestamp_s_to_datetime;
use hexflight_planner::{PlanTimes, QueryEngine, QueryOptions};
use serde_json::Value;

use crate::{Print, commit, percentile::percentile, table::Table};

/// Files in the table, one per hour from 2025-01-01 on.
const FILE_COUNTS: [usize; 2] = [10, 10_000];

/// 2025-01-01T00:00:00Z. **Units**: seconds.
const START_SECONDS: i64 = 1_735_689_600;

const HOUR_SECONDS: i64 = 3_600;

/// The product's queries.
const QUERIES: [(&str, &str); 6] = [
    (
        "window of a type",
        "SELECT count(*), avg(value), min(value), max(value) FROM events WHERE type = 'temperature' \
         AND timestamp >= '2025-01-01T03:00:00Z' AND timestamp < '2025-01-01T05:00:00Z'",
    ),
    (
        "device and type",
        "SELECT avg(value) FROM events WHERE device_id = 'device-000042' AND type = 'temperature' \
         AND timestamp >= '2025-01-01T03:00:00Z' AND timestamp < '2025-01-01T05:00:00Z'",
    ),
    (
        "top devices",
        "SELECT device_id, count(*) AS events FROM events WHERE timestamp >= '2025-01-01T03:00:00Z' \
         AND timestamp < '2025-01-01T05:00:00Z' GROUP BY device_id ORDER BY events DESC, device_id LIMIT 10",
    ),
    (
        "average in a box",
        "SELECT avg(value), count(*) FROM events WHERE type = 'temperature' AND latitude BETWEEN 40 AND 41 \
         AND longitude BETWEEN -74 AND -73 AND timestamp >= '2025-01-01T03:00:00Z' \
         AND timestamp < '2025-01-01T05:00:00Z'",
    ),
    (
        "average per minute",
        "SELECT date_bin(INTERVAL '1 minute', timestamp) AS minute, avg(value) FROM events \
         WHERE type = 'temperature' AND timestamp >= '2025-01-01T03:00:00Z' \
         AND timestamp < '2025-01-01T05:00:00Z' GROUP BY minute ORDER BY minute",
    ),
    (
        "top cells",
        "SELECT h3, count(*) AS events FROM events WHERE timestamp >= '2025-01-01T03:00:00Z' \
         AND timestamp < '2025-01-01T05:00:00Z' AND h3 IS NOT NULL GROUP BY h3 ORDER BY events DESC LIMIT 10",
    ),
];

/// Plans every query `repeats` times with each number of files.
///
/// # Errors
/// What the engine, the planner or the file system says.
pub(crate) async fn run(repeats: usize, least_micros: u64, print: Print<'_>) -> Result<()> {
    let mut totals = Table::new("planning", &["files", "query", "p50 ms", "p95 ms"]);
    for file_count in FILE_COUNTS {
        let folder = tempfile::tempdir_in(".")?;
        let queries = planner_over(folder.path(), file_count).await?;
        for (name, sql) in QUERIES {
            let mut runs = Vec::with_capacity(repeats);
            for _ in 0..repeats {
                runs.push(queries.plan_times(sql, vec![]).await?);
            }
            let mut whole: Vec<_> = runs.iter().map(|run| run.total).collect();
            totals.row(&[
                &file_count,
                &name,
                &millis(percentile(&mut whole, 0.5)),
                &millis(percentile(&mut whole, 0.95)),
            ]);
            print(&stages(
                &format!("{name}, {file_count} files"),
                &runs,
                Duration::from_micros(least_micros),
            ))?;
        }
    }
    print(&totals)
}

/// A planner over a table of files that are in the log only: planning opens none.
async fn planner_over(folder: &Path, file_count: usize) -> Result<QueryEngine> {
    commit::flush_rows(folder, 1).await?;
    commit::add_files(folder, file_count, |index, statistics| {
        let hour = START_SECONDS + i64::try_from(index).unwrap_or_default() * HOUR_SECONDS;
        statistics["numRecords"] = Value::from(100_000);
        bounds(statistics, "timestamp", &text_of(hour), &text_of(hour + HOUR_SECONDS - 1));
        bounds(statistics, "type", &Value::from("battery"), &Value::from("temperature"));
        bounds(statistics, "device_id", &Value::from("device-000000"), &Value::from("device-099999"));
    })?;
    let engine = commit::open(folder).await?;
    QueryEngine::new(engine, &QueryOptions::default()).map_err(Into::into)
}

fn bounds(statistics: &mut Value, column: &str, min: &Value, max: &Value) {
    statistics["minValues"][column] = min.clone();
    statistics["maxValues"][column] = max.clone();
}

/// As a Delta log writes it.
fn text_of(seconds: i64) -> Value {
    let time = timestamp_s_to_datetime(seconds).map(|time| time.format("%Y-%m-%dT%H:%M:%S.000Z").to_string());
    time.map_or(Value::Null, Value::from)
}

/// The median of each stage; one that runs several times in a plan is added up.
fn stages(title: &str, runs: &[PlanTimes], least: Duration) -> Table {
    let mut order: Vec<&str> = Vec::new();
    let mut times: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for run in runs {
        let mut sums: BTreeMap<&str, Duration> = BTreeMap::new();
        for (stage, time) in &run.stages {
            if !times.contains_key(stage.as_str()) && !order.contains(&stage.as_str()) {
                order.push(stage);
            }
            *sums.entry(stage).or_default() += *time;
        }
        sums.into_iter().for_each(|(stage, sum)| times.entry(stage).or_default().push(sum));
    }
    let mut table = Table::new(title, &["stage", "p50 µs"]);
    for stage in order {
        let middle = times.get_mut(stage).map(|times| percentile(times, 0.5)).unwrap_or_default();
        if middle >= least {
            table.row(&[&stage, &middle.as_micros()]);
        }
    }
    table
}

fn millis(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1e3)
}
