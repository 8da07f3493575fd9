//! Queries for places: the right answer and the right counts, over boxes and circles of every kind.

use insta::assert_snapshot;

use crate::{
    pruning::{counts, five_hours},
    support::{Event, Fixture, HOUR, Random, START, event},
};

#[tokio::test]
async fn a_box_prunes_files_and_memory() {
    let fixture = five_hours().await;
    let in_box = "SELECT count(*) FROM events WHERE geo_bbox(latitude, longitude, 29, 31, 29, 31)";
    assert_eq!(fixture.value(in_box).await, "40000");
    assert_snapshot!(counts(&fixture, in_box).await, @"files_pruned_place=3, files_total=3, memory_batches_pruned_place=1, memory_batches_total=2, memory_rows_read=40.00 K");
    let half_open = "SELECT count(*) FROM events WHERE latitude > 10 AND latitude <= 20 AND longitude < 30.5";
    assert_eq!(fixture.value(half_open).await, "40000");
    assert_snapshot!(counts(&fixture, half_open).await, @"files_pruned_place=2, files_total=3, memory_batches_pruned_place=2, memory_batches_total=2");
    let nowhere = "SELECT count(*) FROM events WHERE geo_bbox(latitude, longitude, 29, 31, 170, -170)";
    assert_eq!(fixture.value(nowhere).await, "0");
    assert_snapshot!(counts(&fixture, nowhere).await, @"files_pruned_place=3, files_total=3, memory_batches_pruned_place=2, memory_batches_total=2");
}

#[tokio::test]
async fn a_circle_prunes_files_and_memory() {
    let fixture = five_hours().await;
    let sql = "SELECT count(*) FROM events WHERE geo_within_radius(latitude, longitude, 10, 10, 1000)";
    assert_eq!(fixture.value(sql).await, "40000");
    assert_snapshot!(counts(&fixture, sql).await, @"files_pruned_place=2, files_total=3, memory_batches_pruned_place=2, memory_batches_total=2");
    let sql = "SELECT count(*) FROM events WHERE geo_within_radius(latitude, longitude, 40.001, 40, 200)";
    assert_eq!(fixture.value(sql).await, "40000");
    assert_snapshot!(counts(&fixture, sql).await, @"files_pruned_place=3, files_total=3, memory_batches_pruned_place=1, memory_batches_total=2, memory_rows_read=40.00 K");
    let outside =
        "SELECT count(*) FROM events WHERE NOT geo_within_radius(latitude, longitude, 10, 10, 1000)";
    assert_eq!(fixture.value(outside).await, "160000");
    assert_snapshot!(counts(&fixture, outside).await, @"files_total=3, memory_batches_total=2, memory_rows_read=80.00 K");
}

#[tokio::test]
async fn rows_without_a_place_are_in_no_place() {
    let fixture = five_hours().await;
    fixture.engine.flush().await.unwrap();
    fixture.append_to_files(&[event(START, "nowhere", "temperature", 1.0)]).await;
    fixture.append(&[event(START, "nowhere", "temperature", 1.0)]).await;
    let sql = "SELECT count(*) FROM events WHERE geo_bbox(latitude, longitude, -90, 90, -180, 180)";
    assert_eq!(fixture.value(sql).await, "200000");
    assert_snapshot!(counts(&fixture, sql).await, @"files_pruned_place=1, files_total=5, memory_batches_pruned_place=1, memory_batches_total=1");
}

#[tokio::test]
async fn a_circle_prunes_pages() {
    let fixture = Fixture::new().await;
    fixture.append_to_files(&along_a_meridian(60_000)).await;
    // What is counted here is no business of rollups.
    let sql = "SELECT count(latitude) FROM events WHERE geo_within_radius(latitude, longitude, 5, 8, 10000)";
    // A thousandth of a degree is 111.2 m: 89 steps to either side, six rows on each.
    assert_eq!(fixture.value(sql).await, "1074");
    let plan = fixture.table(&format!("EXPLAIN ANALYZE {sql}")).await;
    assert!(plan.contains("page_index_pages_pruned=15 total → 2 matched"), "{plan}");
}

#[tokio::test]
async fn places_are_those_of_a_naive_filter() {
    let fixture = Fixture::new().await;
    let events = awkward_events(29, 3_000);
    for (number, part) in events.chunks(500).enumerate() {
        match number % 2 {
            0 => fixture.append_to_files(part).await,
            _ => fixture.append(part).await,
        }
    }
    let mut random = Random(31);
    for round in 0..25 {
        let (sql, test) = random_place(&mut random, &events);
        let expected = events.iter().filter(|event| event.place.is_some_and(|(lat, lng)| test(lat, lng)));
        let count = fixture.value(&format!("SELECT count(*) FROM events WHERE {sql}")).await;
        assert_eq!(count, expected.count().to_string(), "round {round}: {sql}");
        let outside = fixture.value(&format!("SELECT count(*) FROM events WHERE NOT ({sql})")).await;
        let expected = events.iter().filter(|event| event.place.is_some_and(|(lat, lng)| !test(lat, lng)));
        assert_eq!(outside, expected.count().to_string(), "round {round}: NOT ({sql})");
    }
}

/// One place each thousandth of a degree.
fn along_a_meridian(count: i32) -> Vec<Event> {
    (0..count)
        .map(|step| Event {
            place: Some((f64::from(step % 10_000) / 1_000.0, 8.0)),
            ..event(START + i64::from(step), "device", "temperature", 1.0)
        })
        .collect()
}

/// In clusters, on the poles, on both spellings of the antimeridian, on the equator, and nowhere.
fn awkward_events(seed: u64, count: usize) -> Vec<Event> {
    let mut random = Random(seed);
    let corners = [(90.0, 0.0), (-90.0, 12.0), (10.0, 180.0), (10.0, -180.0), (0.0, -0.0), (-0.0, 0.0)];
    (0..count)
        .map(|number| {
            let cluster = corners[number % 6];
            let place = match random.below(5) {
                0 => None,
                1 => Some(cluster),
                2 => Some((unit(&mut random) * 180.0 - 90.0, unit(&mut random) * 360.0 - 180.0)),
                _ => Some(beside(cluster, &mut random)),
            };
            let time = START + random.below(6 * HOUR);
            Event { place, ..event(time, "device", "temperature", 1.0) }
        })
        .collect()
}

fn beside((latitude, longitude): (f64, f64), random: &mut Random) -> (f64, f64) {
    let latitude: f64 = latitude + unit(random) - 0.5;
    let longitude: f64 = longitude + unit(random) - 0.5;
    (latitude.clamp(-90.0, 90.0), (longitude + 540.0).rem_euclid(360.0) - 180.0)
}

fn unit(random: &mut Random) -> f64 {
    f64::from(i32::try_from(random.below(1 << 30)).unwrap()) / f64::from(1 << 30)
}

/// In SQL, and as plain arithmetic.
fn random_place(random: &mut Random, events: &[Event]) -> (String, Box<dyn Fn(f64, f64) -> bool>) {
    let mut placed = || loop {
        let event = &events[usize::try_from(random.below(3_000)).unwrap()];
        if let Some(place) = event.place {
            return place;
        }
    };
    let ((lat, lng), (other_lat, other_lng)) = (placed(), placed());
    let (south, north) = (lat.min(other_lat), lat.max(other_lat));
    let (west, east) = (lng, other_lng);
    match random.below(3) {
        0 => {
            let radius = [0.0, 1_000.0, 30_000.0, 5e6, 2.1e7][usize::try_from(random.below(5)).unwrap()];
            let sql = format!("geo_within_radius(latitude, longitude, {lat:?}, {lng:?}, {radius:?})");
            (sql, Box::new(move |a, b| distance_m((lat, lng), (a, b)) <= radius))
        }
        1 => {
            let sql = format!("geo_bbox(latitude, longitude, {south:?}, {north:?}, {west:?}, {east:?})");
            let between = move |b| if west <= east { west <= b && b <= east } else { b >= west || b <= east };
            (sql, Box::new(move |a, b| south <= a && a <= north && between(b)))
        }
        _ => {
            let sql = format!("latitude > {south:?} AND latitude <= {north:?} AND longitude < {east:?}");
            (sql, Box::new(move |a, b| a > south && a <= north && b < east))
        }
    }
}

/// As H3 computes it.
fn distance_m(from: (f64, f64), to: (f64, f64)) -> f64 {
    let [from, to] = [from, to].map(|(lat, lng)| h3o::LatLng::new(lat, lng).unwrap());
    let metres = from.distance_m(to);
    if metres.is_nan() { 2.001_5e7 } else { metres }
}
