//! `Top`: that only the groups with the largest or smallest values of one measure are wanted, so that only they are made into rows.

use super::{groups::Groups, question::Measure};

/// At least all groups that can be among the first `count` are kept: ties with the last of them, too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Top {
    pub(super) measure: Measure,
    pub(super) descending: bool,
    pub(super) count: usize,
}

impl Top {
    /// Leaves of `places` those that can be among the first.
    pub(super) fn keep(&self, groups: &Groups, places: &mut Vec<usize>) {
        if self.count == 0 || places.len() <= self.count {
            return;
        }
        let rank = |place: usize| {
            let value = groups.states().measure(self.measure, place).unwrap_or(f64::NAN);
            if self.descending { -value } else { value }
        };
        let mut ranks: Vec<f64> = places.iter().map(|place| rank(*place)).collect();
        let (_, last, _) = ranks.select_nth_unstable_by(self.count - 1, f64::total_cmp);
        let last = *last;
        places.retain(|place| rank(*place).total_cmp(&last).is_le());
    }
}
