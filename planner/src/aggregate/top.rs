//! `Top`: that only the groups with the largest or smallest values of one measure are wanted, so that only they are made into rows.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{
    groups::Groups,
    question::{GroupKey, Measure, Question},
};
use crate::predicate::Facts;

/// More groups than this are not worth telling apart.
const COUNT_MAX: usize = 1 << 16;

/// At least all groups that can be among the first `count` are kept: ties with the last of them, too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Top {
    pub(super) measure: Measure,
    pub(super) descending: bool,
    pub(super) count: usize,
}

impl Top {
    /// The first `count` groups by a column of the answer; `None` where that is a key.
    pub(crate) fn of(question: &Question, column: usize, descending: bool, count: usize) -> Option<Self> {
        let measure = question.measures.get(column.checked_sub(question.keys.len())?)?;
        Some(Self { measure: *measure, descending, count })
    }

    /// The places of the groups that can be among the first.
    pub(super) fn places(&self, groups: &Groups) -> Vec<usize> {
        if self.count == 0 || self.count > COUNT_MAX {
            return groups.places().collect();
        }
        // The best so far, the worst of them on top.
        let mut best = BinaryHeap::with_capacity(self.count + 1);
        for place in groups.places() {
            let rank = Reverse(self.rank(groups, place));
            if best.len() < self.count {
                best.push(rank);
            } else if best.peek().is_some_and(|worst| rank < *worst) {
                best.pop();
                best.push(rank);
            }
        }
        let Some(Reverse(worst)) = best.peek().copied() else { return vec![] };
        groups.places().filter(|place| self.rank(groups, *place) >= worst).collect()
    }

    /// Whether the devices with the most rows are asked for, and nothing else of the others.
    pub(super) fn wants_leaders(&self, question: &Question) -> bool {
        let Facts { devices, areas, .. } = &question.facts;
        self.measure == Measure::Count
            && self.descending
            && (1..=COUNT_MAX).contains(&self.count)
            && question.keys == [GroupKey::Device]
            && !question.wants_last()
            && devices.is_none()
            && areas.is_empty()
    }

    /// The smallest count among the groups with the largest ones; `None` if there are too few groups.
    pub(super) fn last_count(&self, groups: &Groups) -> Option<u64> {
        let mut counts: Vec<u64> = groups.places().map(|place| groups.states().count_of(place)).collect();
        let last = self.count.checked_sub(1).filter(|last| *last < counts.len())?;
        Some(*counts.select_nth_unstable_by(last, |a, b| b.cmp(a)).1)
    }

    /// Maps a value to an integer with the same order (IEEE 754 total order for floats); larger ranks first.
    fn rank(&self, groups: &Groups, place: usize) -> i64 {
        let value = groups.states().measure(self.measure, place).unwrap_or(f64::NAN);
        let bits = (value + 0.0).to_bits().cast_signed();
        // The bits of negative floats grow the other way.
        let ordered = if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits };
        if self.descending { ordered } else { ordered.saturating_neg() }
    }
}
