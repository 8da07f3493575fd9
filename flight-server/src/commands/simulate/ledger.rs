//! `Ledger`: what was acknowledged, kept apart from the server, and the four questions answered by going through every event.
//! Plain loops over plain numbers on purpose: it shares no code with what it checks.

use std::{collections::HashMap, sync::Arc};

use super::{Fleet, Metric, Position, SimulatedEvent, TimeSlice};

/// Acknowledged events.
#[derive(Debug)]
pub struct Ledger {
    fleet: Arc<Fleet>,
    chunks: Vec<Vec<SimulatedEvent>>,
    row_count: usize,
}

/// Count, sum, smallest and largest of some values.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Aggregate {
    /// Values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The sum of their absolute values: the scale on which sums are compared.
    pub sum_abs: f64,
    /// The smallest; `None` without values.
    pub min: Option<f64>,
    /// The largest; `None` without values.
    pub max: Option<f64>,
}

/// A box on the map; its borders belong to it. **Units**: degrees. A box with `west > east` crosses the antimeridian.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeoBox {
    /// Smallest latitude.
    pub south: f64,
    /// Longitude where it begins.
    pub west: f64,
    /// Largest latitude.
    pub north: f64,
    /// Longitude where it ends.
    pub east: f64,
}

impl Ledger {
    /// Makes an empty ledger.
    #[must_use]
    pub fn new(fleet: Arc<Fleet>) -> Self {
        Self { fleet, chunks: Vec::new(), row_count: 0 }
    }

    /// Adds the events of an acknowledged batch.
    pub fn record(&mut self, events: Vec<SimulatedEvent>) {
        self.row_count += events.len();
        self.chunks.push(events);
    }

    /// Events recorded.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.row_count
    }

    /// The newest event's time; `None` without events.
    #[must_use]
    pub fn newest_micros(&self) -> Option<i64> {
        self.chunks.iter().flatten().map(|event| event.timestamp_micros).max()
    }

    /// Question 1: a metric over a window.
    #[must_use]
    pub fn aggregate(&self, metric: Metric, window: TimeSlice) -> Aggregate {
        self.selected(metric, window).fold(Aggregate::default(), Aggregate::with)
    }

    /// Question 2: a metric of one device over a window.
    #[must_use]
    pub fn device_aggregate(&self, device_id: &str, metric: Metric, window: TimeSlice) -> Aggregate {
        let wanted = |event: &&SimulatedEvent| self.device_id(event) == device_id;
        self.selected(metric, window).filter(wanted).fold(Aggregate::default(), Aggregate::with)
    }

    /// Question 3: the `limit` devices with the most events of a metric in a window; equals in order of their ids.
    #[must_use]
    pub fn top_devices(&self, metric: Metric, window: TimeSlice, limit: usize) -> Vec<(String, u64)> {
        let mut counts: HashMap<&str, u64> = HashMap::new();
        for event in self.selected(metric, window) {
            *counts.entry(self.device_id(event)).or_default() += 1;
        }
        let mut ranked: Vec<(&str, u64)> = counts.into_iter().collect();
        ranked.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        ranked.into_iter().take(limit).map(|(id, count)| (id.to_owned(), count)).collect()
    }

    /// Question 4: a metric inside a box over a window.
    #[must_use]
    pub fn box_aggregate(&self, metric: Metric, area: &GeoBox, window: TimeSlice) -> Aggregate {
        let inside = |event: &&SimulatedEvent| event.position.is_some_and(|position| area.contains(position));
        self.selected(metric, window).filter(inside).fold(Aggregate::default(), Aggregate::with)
    }

    fn selected(&self, metric: Metric, window: TimeSlice) -> impl Iterator<Item = &SimulatedEvent> {
        let wanted = move |event: &&SimulatedEvent| {
            event.metric == metric
                && event.timestamp_micros >= window.from_micros
                && event.timestamp_micros < window.to_micros
        };
        self.chunks.iter().flatten().filter(wanted)
    }

    fn device_id(&self, event: &SimulatedEvent) -> &str {
        &self.fleet.devices()[event.device_index as usize].id
    }
}

impl Aggregate {
    /// Their mean; `None` without values.
    #[must_use]
    pub fn avg(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    fn with(self, event: &SimulatedEvent) -> Self {
        let value = event.value;
        Self {
            count: self.count + 1,
            sum: self.sum + value,
            sum_abs: self.sum_abs + value.abs(),
            min: Some(self.min.map_or(value, |min| min.min(value))),
            max: Some(self.max.map_or(value, |max| max.max(value))),
        }
    }
}

impl GeoBox {
    /// Whether `position` lies in the box or on its border.
    #[must_use]
    pub fn contains(&self, position: Position) -> bool {
        let (latitude, longitude) = (position.latitude(), position.longitude());
        let east_of_west = longitude >= self.west;
        let west_of_east = longitude <= self.east;
        let between =
            if self.west <= self.east { east_of_west && west_of_east } else { east_of_west || west_of_east };
        latitude >= self.south && latitude <= self.north && between
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
