//! Sets of degrees as comparisons with constants say them: in IEEE's total order, as Arrow compares, after both zeros were made one,
//! as DataFusion does. So a NaN among the constants is above every number here too.

use std::cmp::Ordering;

use super::Relation;

/// Intervals beyond which a predicate is not understood: more come from long lists of values, which no cover helps.
const PARTS_MAX: usize = 64;

/// One end of an interval.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bound {
    value: f64,
    inclusive: bool,
}

impl Bound {
    fn included(value: f64) -> Self {
        Self { value: one_zero(value), inclusive: true }
    }

    fn excluded(value: f64) -> Self {
        Self { value: one_zero(value), inclusive: false }
    }

    /// As a lower bound: one that takes more in comes first.
    fn cmp_low(&self, other: &Self) -> Ordering {
        self.value.total_cmp(&other.value).then(other.inclusive.cmp(&self.inclusive))
    }

    /// As an upper bound: one that takes more in comes last.
    fn cmp_high(&self, other: &Self) -> Ordering {
        self.value.total_cmp(&other.value).then(self.inclusive.cmp(&other.inclusive))
    }
}

/// What lies between two bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Interval {
    low: Bound,
    high: Bound,
}

impl Interval {
    fn contains(&self, value: f64) -> bool {
        let value = one_zero(value);
        let above = match self.low.value.total_cmp(&value) {
            Ordering::Less => true,
            Ordering::Equal => self.low.inclusive,
            Ordering::Greater => false,
        };
        above
            && match value.total_cmp(&self.high.value) {
                Ordering::Less => true,
                Ordering::Equal => self.high.inclusive,
                Ordering::Greater => false,
            }
    }

    fn is_empty(&self) -> bool {
        match self.low.value.total_cmp(&self.high.value) {
            Ordering::Less => false,
            Ordering::Equal => !(self.low.inclusive && self.high.inclusive),
            Ordering::Greater => true,
        }
    }

    /// What is in both; perhaps empty.
    fn and(&self, other: &Self) -> Self {
        let low = if self.low.cmp_low(&other.low).is_ge() { self.low } else { other.low };
        let high = if self.high.cmp_high(&other.high).is_le() { self.high } else { other.high };
        Self { low, high }
    }

    /// Whether `next`, which does not begin earlier, begins inside or right after this one.
    fn reaches(&self, next: &Self) -> bool {
        match next.low.value.total_cmp(&self.high.value) {
            Ordering::Less => true,
            Ordering::Equal => next.low.inclusive || self.high.inclusive,
            Ordering::Greater => false,
        }
    }
}

/// A comparison of a coordinate, on the left, with a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

/// A set of finite degrees: intervals in order, apart, none empty.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Intervals {
    parts: Vec<Interval>,
}

impl Intervals {
    /// Every finite number.
    pub(super) fn all() -> Self {
        Self::of(vec![Interval {
            low: Bound::included(f64::NEG_INFINITY),
            high: Bound::included(f64::INFINITY),
        }])
    }

    /// From `low` to `high`, both included.
    pub(super) fn closed(low: f64, high: f64) -> Self {
        Self::of(vec![Interval { low: Bound::included(low), high: Bound::included(high) }])
    }

    /// What satisfies a comparison with `value`.
    pub(super) fn satisfying(comparison: Comparison, value: f64) -> Self {
        let (lowest, highest) = (Bound::included(f64::NEG_INFINITY), Bound::included(f64::INFINITY));
        let (included, excluded) = (Bound::included(value), Bound::excluded(value));
        let between = |low, high| Interval { low, high };
        Self::of(match comparison {
            Comparison::Less => vec![between(lowest, excluded)],
            Comparison::LessOrEqual => vec![between(lowest, included)],
            Comparison::Equal => vec![between(included, included)],
            Comparison::NotEqual => vec![between(lowest, excluded), between(excluded, highest)],
            Comparison::GreaterOrEqual => vec![between(included, highest)],
            Comparison::Greater => vec![between(excluded, highest)],
        })
    }

    fn of(mut parts: Vec<Interval>) -> Self {
        parts.retain(|part| !part.is_empty());
        Self { parts }
    }

    /// What is in both; `None` when that is too many intervals.
    pub(super) fn and(&self, other: &Self) -> Option<Self> {
        let pairs = self.parts.iter().flat_map(|part| other.parts.iter().map(|other| part.and(other)));
        Self::of(pairs.collect()).bounded()
    }

    /// What is in either; `None` when that is too many intervals.
    pub(super) fn or(&self, other: &Self) -> Option<Self> {
        let mut parts = [self.parts.as_slice(), &other.parts].concat();
        parts.sort_by(|a, b| a.low.cmp_low(&b.low));
        let mut joined: Vec<Interval> = Vec::with_capacity(parts.len());
        for part in parts {
            match joined.last_mut() {
                Some(last) if last.reaches(&part) => {
                    if last.high.cmp_high(&part.high).is_lt() {
                        last.high = part.high;
                    }
                }
                _ => joined.push(part),
            }
        }
        Self { parts: joined }.bounded()
    }

    fn bounded(self) -> Option<Self> {
        (self.parts.len() <= PARTS_MAX).then_some(self)
    }

    /// Whether `value` is in the set.
    pub(super) fn contains(&self, value: f64) -> bool {
        self.parts.iter().any(|part| part.contains(value))
    }

    /// First and last number of the set, if it is everything between them.
    pub(super) fn span(&self) -> Option<(f64, f64)> {
        let [Interval { low, high }] = self.parts.as_slice() else { return None };
        let first = if low.inclusive { low.value } else { low.value.next_up() };
        let last = if high.inclusive { high.value } else { high.value.next_down() };
        (!first.is_nan() && !last.is_nan()).then_some((first, last))
    }

    fn is_all(&self) -> bool {
        let [only] = self.parts.as_slice() else { return false };
        only.low.value == f64::NEG_INFINITY && only.high.value == f64::INFINITY
    }

    /// How everything from `low` to `high`, both included, lies to the set.
    pub(super) fn relate(&self, low: f64, high: f64) -> Relation {
        if self.is_all() {
            return Relation::Interior;
        }
        let asked = Interval { low: Bound::included(low), high: Bound::included(high) };
        if self.parts.iter().all(|part| part.and(&asked).is_empty()) {
            Relation::Disjoint
        } else if self.parts.iter().any(|part| part.contains(low) && part.contains(high)) {
            Relation::Interior
        } else {
            Relation::Border
        }
    }
}

/// −0 becomes +0, and nothing else changes.
fn one_zero(value: f64) -> f64 {
    value + 0.0
}
