//! The ledger against examples that were worked out by hand.

use super::*;
use crate::commands::simulate::WorkloadConfig;

const WINDOW: TimeSlice = TimeSlice { from_micros: 100, to_micros: 200 };

#[test]
fn window_takes_its_start_and_leaves_its_end() {
    let ledger = ledger_of(&[event(99, 1.0), event(100, 2.0), event(199, -4.0), event(200, 8.0)]);

    let answer = ledger.aggregate(Metric::Temperature, WINDOW);

    assert_eq!((answer.count, answer.sum, answer.sum_abs), (2, -2.0, 6.0));
    assert_eq!((answer.min, answer.max, answer.avg()), (Some(-4.0), Some(2.0), Some(-1.0)));
}

#[test]
fn other_metrics_and_empty_windows_count_nothing() {
    let ledger = ledger_of(&[event(150, 1.0)]);

    assert_eq!(ledger.aggregate(Metric::Humidity, WINDOW), Aggregate::default());
    assert_eq!(
        ledger.aggregate(Metric::Temperature, TimeSlice { from_micros: 151, to_micros: 151 }).avg(),
        None
    );
}

#[test]
fn device_average_is_of_that_device() {
    let ledger = ledger_of(&[of_device(0, 10.0), of_device(1, 50.0), of_device(0, 20.0)]);
    let id = ledger.fleet.devices()[0].id.clone();

    let answer = ledger.device_aggregate(&id, Metric::Temperature, WINDOW);

    assert_eq!((answer.count, answer.avg()), (2, Some(15.0)));
}

#[test]
fn top_devices_breaks_ties_by_id() {
    let ledger = ledger_of(&[3, 1, 2, 1, 2].map(|device| of_device(device, 1.0)));
    let id = |index: usize| ledger.fleet.devices()[index].id.to_string();
    let mut equals = [(id(1), 2), (id(2), 2)];
    equals.sort();

    let answer = ledger.top_devices(Metric::Temperature, WINDOW, 2);

    assert_eq!(answer, equals);
    assert_eq!(ledger.top_devices(Metric::Temperature, WINDOW, 9).len(), 3);
}

#[test]
fn box_has_its_borders_and_no_unlocated_events() {
    let area = GeoBox { south: 48.0, west: 2.0, north: 49.0, east: 3.0 };
    let ledger = ledger_of(&[
        at(48_000_000, 2_000_000),
        at(49_000_000, 3_000_000),
        at(49_000_001, 2_500_000),
        at(48_500_000, 1_999_999),
        event(150, 1.0),
    ]);

    assert_eq!(ledger.box_aggregate(Metric::Temperature, &area, WINDOW).count, 2);
}

#[test]
fn box_across_the_antimeridian_has_both_sides() {
    let area = GeoBox { south: -20.0, west: 177.0, north: -10.0, east: -170.0 };
    let fiji = at(-18_141_600, 178_441_900);
    let samoa = at(-13_833_300, -171_766_700);
    let border = at(-15_000_000, 180_000_000);
    let between = at(-15_000_000, 10_000_000);

    let ledger = ledger_of(&[fiji, samoa, border, between]);

    assert_eq!(ledger.box_aggregate(Metric::Temperature, &area, WINDOW).count, 3);
}

fn ledger_of(events: &[SimulatedEvent]) -> Ledger {
    let config = WorkloadConfig { device_count: 10, ..WorkloadConfig::default() };
    let mut ledger = Ledger::new(Arc::new(Fleet::new(&config)));
    events.chunks(2).for_each(|chunk| ledger.record(chunk.to_vec()));
    ledger
}

fn event(timestamp_micros: i64, value: f64) -> SimulatedEvent {
    SimulatedEvent { timestamp_micros, value, position: None, device_index: 0, metric: Metric::Temperature }
}

fn of_device(device_index: u32, value: f64) -> SimulatedEvent {
    SimulatedEvent { device_index, ..event(150, value) }
}

fn at(latitude_e6: i32, longitude_e6: i32) -> SimulatedEvent {
    SimulatedEvent { position: Some(Position { latitude_e6, longitude_e6 }), ..event(150, 1.0) }
}
