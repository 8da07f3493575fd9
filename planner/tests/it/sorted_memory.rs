//! Sealed generations are read by binary search: the right answer, and the rows that were not looked at.

use hexflight_engine::GenerationState;
use insta::assert_snapshot;

use crate::{
    pruning::counts,
    support::{Event, Fixture, START, TYPES, event},
};

#[tokio::test]
async fn sorted_rows_are_skipped_by_type_and_place() {
    let fixture = sealed().await;
    let sql = "SELECT count(*) FROM events WHERE type = 'humidity'";
    assert_eq!(fixture.value(sql).await, "20000");
    assert_snapshot!(counts(&fixture, sql).await, @"memory_batches_total=1, memory_rows_read=20.00 K, memory_rows_skipped=60.00 K");
    let sql = "SELECT count(*) FROM events WHERE geo_bbox(latitude, longitude, 4, 6, 7, 9)";
    assert_eq!(fixture.value(sql).await, "40000");
    assert_snapshot!(counts(&fixture, sql).await, @"memory_batches_total=1, memory_rows_read=40.00 K, memory_rows_skipped=40.00 K");
    let sql = "SELECT count(*) FROM events WHERE geo_within_radius(latitude, longitude, 5, 8, 100) AND type = 'battery'";
    assert_eq!(fixture.value(sql).await, "10000");
    assert_snapshot!(counts(&fixture, sql).await, @"memory_batches_total=1, memory_rows_read=10.00 K, memory_rows_skipped=70.00 K");
    let sql = "SELECT count(*) FROM events WHERE type LIKE 'h%' AND latitude > 60";
    assert_eq!(fixture.value(sql).await, "0");
    assert_eq!(fixture.value("SELECT count(*) FROM events WHERE value = 1").await, "80000");
}

/// 80,000 rows in one segment: of each type half in one place and half in another.
async fn sealed() -> Fixture {
    let fixture = Fixture::new().await;
    let places = [(5.0, 8.0), (50.0, 8.0)];
    let rows: Vec<Event> = (0..80_000)
        .map(|row: usize| Event {
            place: Some(places[row / 4 % 2]),
            ..event(START + i64::try_from(row).unwrap(), "device", TYPES[row % 4], 1.0)
        })
        .collect();
    fixture.append(&rows).await;
    // The file cannot be written where its folder should be, so that the rows stay sealed in memory.
    let tables = fixture.directory().join("tables/events");
    std::fs::write(tables.join("2024-01-01"), "").unwrap();
    assert!(fixture.engine.flush().await.is_err());
    let snapshot = fixture.engine.snapshot(&hexflight_engine::TableName::new("events")).unwrap();
    let states: Vec<_> = snapshot.generations().iter().map(|generation| generation.state()).collect();
    assert_eq!(states, [GenerationState::Sealed]);
    fixture
}
