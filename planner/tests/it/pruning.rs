//! Pruning: the right answer and the right counts, from EXPLAIN ANALYZE. A silent full scan must fail here.

use hexflight_engine::EngineOptions;
use hexflight_planner::{QueryOptions, ScalarValue};
use insta::assert_snapshot;

use crate::support::{Event, Fixture, HOUR, START, event};

/// Three files and two memory batches, each an hour later than the one before, each of one type and one place.
pub(crate) async fn five_hours() -> Fixture {
    five_hours_with(QueryOptions { target_partitions: 2, ..QueryOptions::default() }).await
}

async fn five_hours_with(options: QueryOptions) -> Fixture {
    let fixture = Fixture::with(EngineOptions::default(), options).await;
    for (hour, kind) in (0..).zip(["humidity", "temperature", "humidity"]) {
        fixture.append_to_files(&hour_of(hour, kind)).await;
    }
    for (hour, kind) in (3..).zip(["temperature", "humidity"]) {
        fixture.append(&hour_of(hour, kind)).await;
    }
    fixture
}

/// 40,000 rows, so that memory keeps batches apart.
fn hour_of(hour: i64, kind: &str) -> Vec<Event> {
    let latitude = 10.0 * f64::from(i32::try_from(hour).unwrap());
    (0..40_000)
        .map(|row| Event {
            place: Some((latitude, latitude)),
            ..event(START + hour * HOUR + row, "device", kind, f64::from(i32::try_from(hour).unwrap()))
        })
        .collect()
}

/// `files_total`, `memory_batches_pruned_time` …: the scan's metrics that are not zero.
pub(crate) async fn counts(fixture: &Fixture, sql: &str) -> String {
    let plan = fixture.table(&format!("EXPLAIN ANALYZE {sql}")).await;
    let scan = plan.lines().find(|line| line.contains("SegmentScanExec")).unwrap();
    let metrics = scan.split_once("metrics=[").unwrap().1.split(']').next().unwrap();
    let wanted = |metric: &&str| {
        ["files_", "memory_"].iter().any(|prefix| metric.starts_with(prefix))
            && !metric.ends_with("=0")
            && !metric.contains("files_ranges")
            && !metric.starts_with("files_opened")
            && !metric.starts_with("files_processed")
    };
    metrics.split(", ").filter(wanted).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn time_prunes_files_and_memory() {
    let fixture = five_hours().await;
    let sql = "SELECT count(*) FROM events WHERE timestamp >= '2024-01-01T02:00:00Z' AND timestamp < '2024-01-01T04:00:00Z'";
    assert_eq!(fixture.value(sql).await, "80000");
    assert_snapshot!(counts(&fixture, sql).await, @"files_pruned_time=2, files_total=3, memory_batches_pruned_time=1, memory_batches_total=2, memory_rows_read=40.00 K");
}

#[tokio::test]
async fn type_prunes_files_and_memory() {
    let fixture = five_hours().await;
    let sql = "SELECT count(*) FROM events WHERE type = 'temperature'";
    assert_eq!(fixture.value(sql).await, "80000");
    assert_snapshot!(counts(&fixture, sql).await, @"files_pruned_type=2, files_total=3, memory_batches_pruned_type=1, memory_batches_total=2, memory_rows_read=40.00 K");
    let sql = "SELECT count(*) FROM events WHERE type IN ('pressure', 'battery')";
    assert_eq!(fixture.value(sql).await, "0");
    assert_snapshot!(counts(&fixture, sql).await, @"files_pruned_type=3, files_total=3, memory_batches_pruned_type=2, memory_batches_total=2");
}

#[tokio::test]
async fn h3_and_value_prune_what_they_can() {
    let fixture = five_hours().await;
    let cell = fixture.value("SELECT max(h3) FROM events WHERE latitude = 30").await;
    let sql = format!("SELECT count(*) FROM events WHERE h3 = {cell}");
    assert_eq!(fixture.value(&sql).await, "40000");
    assert_snapshot!(counts(&fixture, &sql).await, @"files_pruned_h3=3, files_total=3, memory_batches_pruned_h3=1, memory_batches_total=2, memory_rows_read=40.00 K");
    let sql = "SELECT count(*) FROM events WHERE value = 1";
    assert_eq!(fixture.value(sql).await, "40000");
    assert_snapshot!(counts(&fixture, sql).await, @"files_pruned_other=2, files_total=3, memory_batches_total=2, memory_rows_read=80.00 K");
}

#[tokio::test]
async fn parameters_prune_like_literals() {
    let fixture = five_hours().await;
    let sql = "EXPLAIN SELECT value FROM events WHERE timestamp < ? AND type = ?";
    let time = ScalarValue::TimestampMicrosecond(Some(START + HOUR), Some("UTC".into()));
    let rows = fixture.rows_with(sql, vec![time, ScalarValue::from("humidity")]).await;
    let plan = arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string();
    assert!(plan.contains("files=1/3, memory_batches=0/2"), "{plan}");
}

#[tokio::test]
async fn null_h3_is_found_where_no_row_has_a_place() {
    let fixture = five_hours().await;
    fixture.append(&[event(START, "nowhere", "temperature", 9.0)]).await;
    assert_eq!(fixture.value("SELECT count(*) FROM events WHERE h3 IS NULL").await, "1");
    assert_eq!(fixture.value("SELECT count(*) FROM events WHERE h3 IS NOT NULL").await, "200000");
}

#[tokio::test]
async fn count_of_everything_reads_no_data() {
    let fixture = five_hours().await;
    assert_eq!(fixture.value("SELECT count(*) FROM events").await, "200000");
    let plan = fixture.table("EXPLAIN SELECT count(*), count(device_id) FROM events").await;
    assert!(!plan.contains("SegmentScanExec"), "{plan}");
    assert_eq!(fixture.value("SELECT count(*) FROM (SELECT * FROM events LIMIT 7)").await, "7");
}

#[tokio::test]
async fn the_latest_rows_skip_older_memory() {
    let options = QueryOptions { target_partitions: 1, ..QueryOptions::default() };
    let fixture = five_hours_with(options).await;
    let sql = "SELECT timestamp FROM events ORDER BY timestamp DESC LIMIT 1";
    assert_eq!(fixture.value(sql).await, "2024-01-01T04:00:00.039999Z");
    let counts = counts(&fixture, sql).await;
    assert!(counts.contains("memory_slices_pruned_dynamic=1"), "{counts}");
}

#[tokio::test]
async fn a_scan_explains_itself() {
    let fixture = five_hours().await;
    let plan = fixture.table("EXPLAIN SELECT device_id FROM events WHERE value > 3 LIMIT 5").await;
    let scan = plan.lines().find(|line| line.contains("SegmentScanExec")).unwrap();
    assert_snapshot!(scan.trim_matches(['|', ' ']), @"physical_plan | SegmentScanExec: table=events, projection=[device_id], predicate=value@3 > 3, limit=5, files=0/3, memory_batches=2/2, partitions=1");
}
