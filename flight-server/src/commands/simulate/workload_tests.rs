//! What simulated events look like: repeatable, skewed, partly late, at true places.

use std::collections::HashMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};

use super::*;

const NOON: i64 = 1_767_268_800_000_000;
const MINUTE: TimeSlice = TimeSlice { from_micros: NOON, to_micros: NOON + 60_000_000 };

#[test]
fn same_seed_makes_same_batches() {
    let mut first = workload(WorkloadConfig::default());
    let mut second = workload(WorkloadConfig::default());
    let mut other = workload(WorkloadConfig { seed: 7, ..WorkloadConfig::default() });

    for _ in 0..3 {
        let batch = first.next_batch(MINUTE).batch;
        assert_eq!(batch, second.next_batch(MINUTE).batch);
        assert_ne!(batch, other.next_batch(MINUTE).batch);
    }
}

#[test]
fn batch_and_events_say_the_same() {
    let SimulatedBatch { batch, events } = workload(WorkloadConfig::default()).next_batch(MINUTE);
    let times = batch.column(0).as_primitive::<TimestampMicrosecondType>();
    let values = batch.column(3).as_primitive::<Float64Type>();
    let latitudes = batch.column(4).as_primitive::<Float64Type>();

    for (row, event) in events.iter().enumerate() {
        assert_eq!(times.value(row), event.timestamp_micros);
        assert_eq!(values.value(row), event.value);
        assert_eq!(latitudes.is_valid(row), event.position.is_some());
        if let Some(position) = event.position {
            assert_eq!(latitudes.value(row), position.latitude());
        }
    }
}

#[test]
fn popularity_is_skewed() {
    let events = many_events(WorkloadConfig::default());
    let mut counts: HashMap<u32, usize> = HashMap::new();
    events.iter().for_each(|event| *counts.entry(event.device_index).or_default() += 1);

    // 1 / H(10000, 1.1) is about 0.15; the tenth device has 10^-1.1 of that.
    let share = |device: u32| counts[&device] as f64 / events.len() as f64;
    assert!((0.12..0.18).contains(&share(0)), "{}", share(0));
    assert!((0.06..0.1).contains(&(share(9) / share(0))), "{}", share(9) / share(0));
}

#[test]
fn late_share_is_kept_and_the_rest_is_within_seconds() {
    for late_share in [0.0, 0.05, 0.5] {
        let config = WorkloadConfig { late_share, ..WorkloadConfig::default() };
        let events = many_events(config);
        let late = events.iter().filter(|event| event.timestamp_micros < NOON - 4_000_000).count();

        let measured = late as f64 / events.len() as f64;
        // Up to a minute of what is late still falls into the slice itself.
        assert!((measured - late_share).abs() < 0.1 * late_share + 0.005, "{measured} for {late_share}");
        assert!(events.iter().all(|event| event.timestamp_micros < MINUTE.to_micros));
    }
}

#[test]
fn standing_devices_never_move_and_moving_ones_stay_in_town() {
    let mut workload = workload(WorkloadConfig { device_count: 50, ..WorkloadConfig::default() });
    let fleet = Arc::clone(workload.fleet());
    let mut moved = 0_usize;
    for _ in 0..10 {
        for event in workload.next_batch(MINUTE).events {
            let device = &fleet.devices()[event.device_index as usize];
            let Some(position) = event.position else { continue };
            let city = &CITIES[device.city_index];
            assert!((position.latitude() - city.latitude).abs() <= CITY_RADIUS_DEGREES + 1e-6);
            assert!((-180.0..=180.0).contains(&position.longitude()));
            assert!(device.moves || position == device.home);
            moved += usize::from(position != device.home);
        }
    }
    assert!(moved > 1_000, "{moved}");
}

#[test]
fn shares_of_location_and_metadata_are_kept() {
    let batch =
        workload(WorkloadConfig { batch_rows: 50_000, ..WorkloadConfig::default() }).next_batch(MINUTE).batch;
    let metadata = batch.column(6).as_string::<i32>();
    let example = metadata.iter().flatten().next().unwrap();

    assert!((0.02..0.04).contains(&(batch.column(4).null_count() as f64 / 50_000.0)));
    assert!((0.01..0.03).contains(&(1.0 - metadata.null_count() as f64 / 50_000.0)));
    assert!(serde_json::from_str::<serde_json::Value>(example).unwrap()["battery"].is_number(), "{example}");
}

#[test]
fn values_are_plausible() {
    let config = WorkloadConfig { metrics: Metric::ALL.to_vec(), ..WorkloadConfig::default() };
    for event in many_events(config) {
        let range = match event.metric {
            Metric::Temperature => -45.0..=50.0,
            Metric::Humidity | Metric::Battery => 0.0..=100.0,
            Metric::Pressure => 980.0..=1_045.0,
            Metric::Speed => 0.0..=130.0,
            Metric::Co2 => 380.0..=5_000.0,
            Metric::Vibration => 0.0..=100.0,
            Metric::Noise => 20.0..=130.0,
        };
        assert!(range.contains(&event.value), "{event:?}");
    }
}

#[test]
fn parts_of_a_fleet_share_no_device() {
    let config = WorkloadConfig { device_count: 100, ..WorkloadConfig::default() };
    let fleet = Arc::new(Fleet::new(&config));
    for part in 0..3 {
        let mut workload = Workload::shard(Arc::clone(&fleet), config.clone(), part, 3);
        let events = workload.next_batch(MINUTE).events;
        assert!(events.iter().all(|event| event.device_index as usize % 3 == part));
    }
}

fn workload(config: WorkloadConfig) -> Workload {
    Workload::new(Arc::new(Fleet::new(&config)), config)
}

fn many_events(config: WorkloadConfig) -> Vec<SimulatedEvent> {
    let instant = TimeSlice { from_micros: NOON, to_micros: NOON + 1_000 };
    workload(WorkloadConfig { batch_rows: 60_000, ..config }).next_batch(instant).events
}
