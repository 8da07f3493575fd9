//! `States`: what groups have come to so far, column by column, and only what the measures need.

use hexflight_engine::Sums;

use super::question::{Measure, Question};
use crate::wide_sums::WideSums;

/// What of a group is kept besides its count.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Kept {
    sum: bool,
    min: bool,
    max: bool,
    last: bool,
}

impl Kept {
    pub(super) fn of(question: &Question) -> Self {
        let any = |of: &[Measure]| question.measures.iter().any(|measure| of.contains(measure));
        Self {
            sum: any(&[Measure::Sum, Measure::Average]),
            min: any(&[Measure::Min]),
            max: any(&[Measure::Max]),
            last: any(&[Measure::Last]),
        }
    }
}

/// See the module. A group that no row was added to has count 0.
#[derive(Debug, Default)]
pub(super) struct States {
    kept: Kept,
    counts: Vec<u64>,
    sums: WideSums,
    mins: Vec<f64>,
    maxs: Vec<f64>,
    /// Newest timestamp and its value.
    lasts: Vec<(i64, f64)>,
}

impl States {
    pub(super) fn new(kept: Kept) -> Self {
        Self { kept, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }

    /// Memory held. **Units**: bytes.
    pub(super) fn bytes(&self) -> usize {
        8 * (self.counts.capacity() + self.mins.capacity() + self.maxs.capacity())
            + self.sums.bytes()
            + 16 * self.lasts.capacity()
    }

    /// Makes room for groups up to `len`.
    pub(super) fn grow(&mut self, len: usize) {
        if len <= self.counts.len() {
            return;
        }
        let Kept { sum, min, max, last } = self.kept;
        self.counts.resize(len, 0);
        if sum {
            self.sums.grow(len);
        }
        if min {
            self.mins.resize(len, f64::INFINITY);
        }
        if max {
            self.maxs.resize(len, f64::NEG_INFINITY);
        }
        if last {
            self.lasts.resize(len, (i64::MIN, 0.0));
        }
    }

    /// Adds one row; only `count` looks at neither value nor time.
    #[inline]
    pub(super) fn add(&mut self, group: usize, time: i64, value: f64) {
        self.counts[group] += 1;
        if self.kept.sum {
            self.sums.add(group, value);
        }
        if let Some(min) = self.mins.get_mut(group) {
            *min = if value < *min { value } else { *min };
        }
        if let Some(max) = self.maxs.get_mut(group) {
            *max = if value > *max { value } else { *max };
        }
        if let Some(last) = self.lasts.get_mut(group)
            && (time > last.0 || self.counts[group] == 1)
        {
            *last = (time, value);
        }
    }

    /// Counts one row.
    #[inline]
    pub(super) fn count(&mut self, group: usize) {
        self.counts[group] += 1;
    }

    /// Counts one row for each group listed.
    pub(super) fn count_all(&mut self, groups: &[u32]) {
        let counts = self.counts.as_mut_slice();
        // Rows are sorted by place, then device: neighbours are often the same device.
        for run in groups.chunk_by(|a, b| a == b) {
            counts[run[0] as usize] += run.len() as u64;
        }
    }

    /// Adds what another has of every group.
    pub(super) fn merge_all(&mut self, other: &Self) {
        self.grow(other.len());
        if self.kept.last {
            (0..other.len()).for_each(|group| self.merge(group, other, group));
            return;
        }
        let each = |ours: &mut [f64], theirs: &[f64], merge: fn(f64, f64) -> f64| {
            ours.iter_mut().zip(theirs).for_each(|(ours, theirs)| *ours = merge(*ours, *theirs));
        };
        self.counts.iter_mut().zip(&other.counts).for_each(|(ours, theirs)| *ours += theirs);
        if self.kept.sum {
            (0..other.len()).for_each(|group| self.sums.merge(group, &other.sums, group));
        }
        each(&mut self.mins, &other.mins, f64::min);
        each(&mut self.maxs, &other.maxs, f64::max);
    }

    /// Time of a group's newest row.
    pub(super) fn newest(&self, group: usize) -> Option<i64> {
        let has_rows = self.counts.get(group).is_some_and(|count| *count > 0);
        self.lasts.get(group).filter(|_| has_rows).map(|last| last.0)
    }

    /// Whether the newest row of each group is kept.
    pub(super) fn keeps_last(&self) -> bool {
        self.kept.last
    }

    /// Whether what rows add up to is kept.
    pub(super) fn keeps_sum(&self) -> bool {
        self.kept.sum
    }

    /// Whether nothing but rows is counted.
    pub(super) fn only_counts(&self) -> bool {
        let Kept { sum, min, max, last } = self.kept;
        !(sum || min || max || last)
    }

    /// Adds rows that were added up before, within the range of doubles. Never called when the newest row is wanted.
    pub(super) fn merge_sums(&mut self, group: usize, sums: &Sums) {
        assert!(!self.kept.last, "sums do not tell the newest row");
        self.counts[group] += sums.count;
        if self.kept.sum {
            self.sums.add(group, sums.sum);
        }
        if let Some(min) = self.mins.get_mut(group) {
            *min = min.min(sums.min);
        }
        if let Some(max) = self.maxs.get_mut(group) {
            *max = max.max(sums.max);
        }
    }

    /// Adds what another has of a group.
    pub(super) fn merge(&mut self, group: usize, other: &Self, theirs: usize) {
        let before = self.counts[group];
        self.counts[group] += other.counts[theirs];
        if self.kept.sum {
            self.sums.merge(group, &other.sums, theirs);
        }
        if let Some(min) = self.mins.get_mut(group) {
            *min = min.min(other.mins[theirs]);
        }
        if let Some(max) = self.maxs.get_mut(group) {
            *max = max.max(other.maxs[theirs]);
        }
        if let Some(last) = self.lasts.get_mut(group)
            && other.counts[theirs] > 0
            && (before == 0 || other.lasts[theirs].0 > last.0)
        {
            *last = other.lasts[theirs];
        }
    }

    pub(super) fn count_of(&self, group: usize) -> u64 {
        self.counts[group]
    }

    /// A measure of a group as a number; `None` where SQL says NULL.
    #[expect(
        clippy::cast_precision_loss,
        reason = "an average divides by the count as a float, as SQL's does"
    )]
    pub(super) fn measure(&self, measure: Measure, group: usize) -> Option<f64> {
        let count = self.counts[group];
        (count > 0).then(|| match measure {
            Measure::Count => count as f64,
            Measure::Sum => self.sums.sum(group),
            Measure::Average => self.sums.average(group, count as f64),
            Measure::Min => self.mins[group],
            Measure::Max => self.maxs[group],
            Measure::Last => self.lasts[group].1,
        })
    }
}
