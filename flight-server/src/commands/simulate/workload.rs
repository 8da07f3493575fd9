//! `Workload`: endless batches of plausible events from a seed. The demo, the load generator, the benchmarks and the tests all
//! take their events from here, so that they talk about the same data.

use std::sync::Arc;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use rand_distr::{Distribution, weighted::WeightedAliasIndex};

use super::{
    Metric,
    cities::CITIES,
    columns::{self, Columns},
    fleet::{CITY_RADIUS_DEGREES, Climate, Fleet, Position, to_e6},
};

/// Longest delay of an event that is merely out of order. **Units**: µs.
const JITTER_MICROS: f64 = 3e6;

/// Shortest and longest delay of a late event: a minute, three days. **Units**: µs.
const LATE_MICROS: (f64, f64) = (60e6, 3.0 * 86_400e6);

/// Longest step of a moving device between two of its events. **Units**: millionths of a degree, about 22 m.
const STEP_E6: i32 = 200;

/// Keeps the seeds of a workload's parts apart; any odd number with many bits set would do.
const SEED_STRIDE: u64 = 0xD1B5_4A32_D192_ED03;

/// What to simulate; `WorkloadConfig::default()` is what `hexflight simulate` uses.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadConfig {
    /// Seed of everything that is random.
    pub seed: u64,
    /// Devices in the fleet.
    pub device_count: usize,
    /// What they measure.
    pub metrics: Vec<Metric>,
    /// Rows of a batch.
    pub batch_rows: usize,
    /// Share of events that arrive minutes to days late.
    pub late_share: f64,
    /// Share of devices that move.
    pub moving_share: f64,
    /// Share of events without a location.
    pub unlocated_share: f64,
    /// Share of events with metadata.
    pub metadata_share: f64,
    /// Exponent of the popularity of devices: 0 = all alike, 1.1 = the first of 10,000 sends every eighth event.
    pub zipf_exponent: f64,
}

/// A span of event time. **Units**: µs since 1970; `from` belongs to it, `to` does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSlice {
    /// Start.
    pub from_micros: i64,
    /// End.
    pub to_micros: i64,
}

impl TimeSlice {
    /// All of time.
    pub const ALWAYS: Self = Self { from_micros: i64::MIN, to_micros: i64::MAX };
}

/// One event in few bytes, for counting by other means than Arrow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimulatedEvent {
    /// µs since 1970.
    pub timestamp_micros: i64,
    /// Measured value.
    pub value: f64,
    /// Where, if known.
    pub position: Option<Position>,
    /// Index into the fleet.
    pub device_index: u32,
    /// What was measured.
    pub metric: Metric,
}

/// The same events twice: as they are sent, and as they are counted.
#[derive(Debug, Clone)]
pub struct SimulatedBatch {
    /// As they are sent.
    pub batch: RecordBatch,
    /// As they are counted, in the same order.
    pub events: Vec<SimulatedEvent>,
}

/// A generator of batches; one per connection, each with its own part of the fleet.
#[derive(Debug)]
pub struct Workload {
    fleet: Arc<Fleet>,
    config: WorkloadConfig,
    schema: SchemaRef,
    device_indexes: Vec<u32>,
    positions: Vec<Position>,
    popularity: WeightedAliasIndex<f64>,
    metrics: Vec<Metric>,
    rng: Xoshiro256PlusPlus,
}

impl Default for WorkloadConfig {
    fn default() -> Self {
        Self {
            seed: 42,
            device_count: 10_000,
            metrics: vec![
                Metric::Temperature,
                Metric::Humidity,
                Metric::Pressure,
                Metric::Battery,
                Metric::Speed,
            ],
            batch_rows: 8_192,
            late_share: 0.05,
            moving_share: 0.2,
            unlocated_share: 0.03,
            metadata_share: 0.02,
            zipf_exponent: 1.1,
        }
    }
}

impl Workload {
    /// Makes a generator for the whole fleet.
    ///
    /// # Panics
    /// As [`Self::shard`].
    #[must_use]
    pub fn new(fleet: Arc<Fleet>, config: WorkloadConfig) -> Self {
        Self::shard(fleet, config, 0, 1)
    }

    /// Makes the generator of part `shard_index` of `shard_count`: every `shard_count`-th device, so that a device that moves
    /// does so in one place only.
    ///
    /// # Panics
    /// When the part has no devices, or there are no metrics.
    #[must_use]
    pub fn shard(fleet: Arc<Fleet>, config: WorkloadConfig, shard_index: usize, shard_count: usize) -> Self {
        let ranks = (shard_index..fleet.devices().len()).step_by(shard_count);
        let weights = ranks.clone().map(|rank| (1.0 + rank as f64).powf(-config.zipf_exponent)).collect();
        let popularity = WeightedAliasIndex::new(weights);
        let popularity = popularity.expect("a part of a fleet has devices, and their weights are positive");
        let metrics = metric_slots(&config.metrics);
        assert!(!metrics.is_empty(), "a workload measures something");
        // Parts must not share numbers, nor share the fleet's.
        let own_seed = config.seed ^ SEED_STRIDE.wrapping_mul(shard_index as u64 + 1);
        Self {
            positions: ranks.clone().map(|rank| fleet.devices()[rank].home).collect(),
            device_indexes: ranks.map(|rank| u32::try_from(rank).unwrap_or(u32::MAX)).collect(),
            fleet,
            config,
            schema: columns::schema(),
            popularity,
            metrics,
            rng: Xoshiro256PlusPlus::seed_from_u64(own_seed),
        }
    }

    /// Columns of the batches.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The devices.
    #[must_use]
    pub fn fleet(&self) -> &Arc<Fleet> {
        &self.fleet
    }

    /// A full batch of events that are sent during `slice`.
    pub fn next_batch(&mut self, slice: TimeSlice) -> SimulatedBatch {
        self.batch_of(self.config.batch_rows, slice)
    }

    /// A batch of `rows` events that are sent during `slice`.
    pub fn batch_of(&mut self, rows: usize, slice: TimeSlice) -> SimulatedBatch {
        let climates = Climate::everywhere(slice.from_micros);
        let width = slice.to_micros.saturating_sub(slice.from_micros).max(0);
        let mut columns = Columns::with_capacity(rows);
        let mut events = Vec::with_capacity(rows);
        for row in 0..rows {
            let sent_micros = slice.from_micros + whole_micros(width as f64 * row as f64 / rows as f64);
            let event = self.next_event(sent_micros, &climates);
            let device = &self.fleet.devices()[event.device_index as usize];
            columns.push(&event, &device.id);
            if self.rng.random_bool(self.config.metadata_share) {
                columns.push_metadata(device);
            } else {
                columns.push_no_metadata();
            }
            events.push(event);
        }
        SimulatedBatch { batch: columns.finish(&self.schema), events }
    }

    fn next_event(&mut self, sent_micros: i64, climates: &[Climate]) -> SimulatedEvent {
        let slot = self.popularity.sample(&mut self.rng);
        let device_index = self.device_indexes[slot];
        let metric = self.metrics[self.rng.random_range(0..self.metrics.len())];
        let located = !self.rng.random_bool(self.config.unlocated_share);
        let delay_micros = self.delay_micros();
        let device = &self.fleet.devices()[device_index as usize];
        if device.moves {
            let limit = &CITIES[device.city_index];
            let position = step(self.positions[slot], self.rng.random());
            if (position.latitude() - limit.latitude).abs() < CITY_RADIUS_DEGREES
                && (position.longitude_e6 - device.home.longitude_e6).abs() < to_e6(CITY_RADIUS_DEGREES)
                && position.longitude_e6.abs() <= 180_000_000
            {
                self.positions[slot] = position;
            }
        }
        SimulatedEvent {
            // Devices' clocks tell milliseconds.
            timestamp_micros: (sent_micros - delay_micros).max(0) / 1_000 * 1_000,
            value: metric.measure(device, &climates[device.city_index], &mut self.rng),
            position: located.then_some(self.positions[slot]),
            device_index,
            metric,
        }
    }

    /// Mostly within seconds; late events by anything from a minute to days, small delays more often than large ones.
    fn delay_micros(&mut self) -> i64 {
        let share: f64 = self.rng.random();
        let (shortest, longest) = LATE_MICROS;
        if self.rng.random_bool(self.config.late_share) {
            whole_micros(shortest * ((longest / shortest).ln() * share).exp())
        } else {
            whole_micros(JITTER_MICROS * share * share)
        }
    }
}

/// Metrics as often as they are measured.
fn metric_slots(metrics: &[Metric]) -> Vec<Metric> {
    metrics.iter().flat_map(|metric| std::iter::repeat_n(*metric, metric.weight())).collect()
}

/// Moves by up to [`STEP_E6`] in both directions.
fn step(from: Position, random: u64) -> Position {
    let span = i64::from(2 * STEP_E6 + 1).unsigned_abs();
    let offset = |bits: u64| i32::try_from(bits % span).unwrap_or(0) - STEP_E6;
    Position {
        latitude_e6: from.latitude_e6 + offset(random & u64::from(u32::MAX)),
        longitude_e6: from.longitude_e6 + offset(random >> 32),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "spans of event time are far below 2^63 µs")]
fn whole_micros(micros: f64) -> i64 {
    micros as i64
}

#[cfg(test)]
#[path = "workload_tests.rs"]
mod tests;
