//! The rollup of a type by minute of event time.

use super::{
    Sums,
    wire::{Reader, Writer},
};
use crate::error::Result;

/// **Units**: µs.
pub(super) const MINUTE_MICROS: i64 = 60_000_000;

/// Minutes that a type may span before they are given up; only the first day or so of a file that spans months is of use.
const SPAN_MAX: i64 = 1 << 14;

/// The events of one minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MinuteGroup {
    /// Start. **Units**: minutes since 1970.
    pub minute: u32,
    /// Their values.
    pub sums: Sums,
}

/// Adds up rows in any order.
#[derive(Debug, Default)]
pub(super) struct MinuteBuilder {
    first: i64,
    sums: Vec<Sums>,
    given_up: bool,
}

impl MinuteBuilder {
    pub(super) fn push(&mut self, timestamps: &[i64], values: &[f64]) {
        let bounds =
            timestamps.iter().fold((i64::MAX, i64::MIN), |(a, b), time| (a.min(*time), b.max(*time)));
        if self.given_up || timestamps.is_empty() || !self.cover(minute_of(bounds.0), minute_of(bounds.1)) {
            return;
        }
        for (timestamp, value) in timestamps.iter().zip(values) {
            let place = usize::try_from(minute_of(*timestamp) - self.first).unwrap_or(usize::MAX);
            self.sums[place].add(*value);
        }
    }

    /// Makes room for minutes from `first` to `last`.
    fn cover(&mut self, first: i64, last: i64) -> bool {
        let (first, last) = match i64::try_from(self.sums.len()).unwrap_or(0) {
            0 => (first, last),
            held => (first.min(self.first), last.max(self.first + held - 1)),
        };
        let span = last - first + 1;
        if span > SPAN_MAX || u32::try_from(last).is_err() || first < 0 {
            (self.sums, self.given_up) = (vec![], true);
            return false;
        }
        if !self.sums.is_empty() && first < self.first {
            let before = usize::try_from(self.first - first).unwrap_or(0);
            self.sums.splice(0..0, std::iter::repeat_n(Sums::EMPTY, before));
        }
        self.first = first;
        self.sums.resize(usize::try_from(span).unwrap_or(0), Sums::EMPTY);
        true
    }

    /// The minutes that have rows; empty when there are too many of them.
    pub(super) fn finish(self) -> Vec<MinuteGroup> {
        let first = u32::try_from(self.first).unwrap_or(u32::MAX);
        let minutes = (first..).zip(self.sums).filter(|(_, sums)| sums.count > 0);
        minutes.map(|(minute, sums)| MinuteGroup { minute, sums }).collect()
    }
}

fn minute_of(timestamp: i64) -> i64 {
    timestamp.div_euclid(MINUTE_MICROS)
}

pub(super) fn write(groups: &[MinuteGroup], writer: &mut Writer) {
    groups.iter().for_each(|group| writer.u32(group.minute));
    writer.sums(groups.iter().map(|group| &group.sums));
}

pub(super) fn read(reader: &mut Reader<'_>, count: usize) -> Result<Vec<MinuteGroup>> {
    let (minutes, sums) = (reader.u32s(count)?, reader.sums(count)?);
    Ok(minutes.into_iter().zip(sums).map(|(minute, sums)| MinuteGroup { minute, sums }).collect())
}
