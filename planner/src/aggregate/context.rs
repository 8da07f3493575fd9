//! `Work`: what all files of a question are answered with, and how what was found is counted.

use std::sync::Arc;

use hexflight_engine::{DataFile, Rollup, Sums, TypeRollup};

use super::{
    counters::Counters,
    groups::{Groups, Key},
    question::Question,
    segment::Segment,
};
use crate::cache::{DeviceNames, SegmentCache};

/// What every file of a question needs.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) question: Arc<Question>,
    pub(super) cache: Arc<SegmentCache>,
    pub(super) names: Arc<DeviceNames>,
    /// Numbers of the devices asked for, sorted; `None`: any.
    pub(super) devices: Option<Arc<[u32]>>,
    /// Whether only the devices with the most rows are wanted, see [`super::unlisted`].
    pub(super) leaders_only: bool,
    pub(super) fingerprint: u128,
    pub(super) counters: Counters,
}

impl Work {
    pub(super) fn segment<'a>(
        &self,
        file: &'a Arc<DataFile>,
        rollup: &'a Arc<Rollup>,
        of_type: TypeRollup<'a>,
    ) -> Segment<'a> {
        let kind = if self.question.by_type() { self.names.write().number(of_type.name()) } else { 0 };
        let inside = self.question.facts.window.holds(of_type.time());
        Segment { file, rollup, of_type, kind, inside }
    }

    pub(super) fn add_groups(&self, groups: &mut Groups, known: impl IntoIterator<Item = (Key, Sums)>) {
        let (mut count, mut rows) = (0, 0);
        for (key, sums) in known {
            groups.add_sums(key, &sums);
            count += 1;
            rows += usize::try_from(sums.count).unwrap_or(0);
        }
        self.counters.rollup_groups.add(count);
        self.counters.rollup_rows.add(rows);
    }

    pub(super) fn count_segment(&self, read_rows: bool, any: bool) {
        match (read_rows, any) {
            (true, _) => self.counters.segments_raw.add(1),
            (false, true) => self.counters.segments_rollup.add(1),
            (false, false) => self.counters.segments_pruned.add(1),
        }
    }
}
