//! What a rollup says of a segment as a whole: its total, its minutes, its devices, its cells.

use datafusion::error::Result;
use hexflight_engine::Sums;

use super::{
    context::Work,
    groups::{Key, Selection},
    question::{Bin, MINUTE_MICROS, Question},
    segment::Segment,
    select::select,
    share::Share,
    whole_minutes::{WholeMinutes, start_of},
};
use crate::geo::Relation;

impl Work {
    /// Whether rows are told apart by nothing but their type and time.
    fn asks_only_for_time(&self) -> bool {
        let Question { facts, .. } = self.question.as_ref();
        let anywhere = facts.areas.is_empty() && self.question.cell_resolution().is_none();
        anywhere && facts.devices.is_none() && !self.question.by_device() && !self.question.wants_last()
    }

    /// The segment's total answers.
    pub(super) fn add_whole(&self, segment: &Segment<'_>, share: &mut Share) -> bool {
        let answers = segment.inside && self.asks_only_for_time() && self.question.bin().is_none();
        if answers {
            self.add_groups(&mut share.groups, [(segment.key(), *segment.of_type.total())]);
            self.counters.segments_rollup.add(1);
        }
        answers
    }

    /// Whole minutes answer, and rows at the edges of the window.
    pub(super) async fn add_minutes(&self, segment: &Segment<'_>, share: &mut Share) -> Result<bool> {
        let by_minutes = self.question.bin().is_none_or(Bin::is_of_minutes);
        if !(by_minutes && self.asks_only_for_time() && segment.of_type.has_minutes()) {
            return Ok(false);
        }
        let Some(minutes) = self.cache.minutes(segment.file, &segment.of_type).await? else {
            return Ok(false);
        };
        let window = self.question.facts.window;
        let core = WholeMinutes::of(window.from, window.to);
        let mut edges = vec![];
        let whole = minutes.iter().filter(|group| {
            let start = start_of(group);
            let is_whole = core.holds(start);
            if !is_whole && !window.misses((start, start + MINUTE_MICROS - 1)) {
                edges.push(start);
            }
            is_whole
        });
        self.add_groups(
            &mut share.groups,
            whole.map(|group| (Key { bin: start_of(group), ..segment.key() }, group.sums)),
        );
        self.count_segment(!edges.is_empty(), true);
        let inside = window.test();
        let mut rows = vec![];
        for start in edges {
            let columns = self.minute_columns(segment, start).await?;
            let in_minute = start..start.saturating_add(MINUTE_MICROS);
            select(&mut rows, 0, columns.times.iter().map(|time| inside(*time) & in_minute.contains(time)));
            self.counters.raw_rows.add(columns.times.len());
            share.groups.add_rows(segment.key(), None, &columns, &Selection::Some(&rows));
        }
        Ok(true)
    }

    /// The groups by device answer: if every device asked for is among them.
    pub(super) async fn add_devices(&self, segment: &Segment<'_>, share: &mut Share) -> Result<bool> {
        let Some(floor) = self.device_floor(segment) else { return Ok(false) };
        let Some(known) = self.cache.devices(segment.file, &segment.of_type, &self.names).await? else {
            return Ok(false);
        };
        let listed = &known.listed;
        let is_complete = floor == 1;
        match &self.devices {
            Some(wanted) => {
                let found: Vec<(Key, Sums)> = wanted
                    .iter()
                    .filter_map(|number| listed.find(*number).map(|sums| (segment.key_of(*number), sums)))
                    .collect();
                if !is_complete && found.len() < wanted.len() {
                    return Ok(false);
                }
                self.add_groups(&mut share.groups, found);
            }
            None if is_complete || self.leaders_only => {
                self.add_groups(
                    &mut share.groups,
                    listed.iter().map(|(number, sums)| (segment.key_of(number), sums)),
                );
                if !is_complete {
                    share.defer(segment, floor, listed.numbers().clone());
                    return Ok(true);
                }
            }
            None => return Ok(false),
        }
        self.counters.segments_rollup.add(1);
        Ok(true)
    }

    /// What [`hexflight_engine::TypeRollup::device_floor`] says, if the question is one about whole devices.
    fn device_floor(&self, segment: &Segment<'_>) -> Option<u32> {
        let Question { facts, .. } = self.question.as_ref();
        let asks = self.question.by_device() || facts.devices.is_some();
        let only = facts.areas.is_empty()
            && self.question.cell_resolution().is_none()
            && self.question.bin().is_none()
            && !self.question.wants_last();
        segment.of_type.device_floor().filter(|_| segment.inside && asks && only)
    }

    /// The groups by cell answer, if each is wholly inside or outside the place.
    pub(super) async fn add_cells(&self, segment: &Segment<'_>, share: &mut Share) -> Result<bool> {
        let Question { facts, .. } = self.question.as_ref();
        let Some(wanted) = self.question.cell_resolution() else { return Ok(false) };
        let fits = segment.rollup.cell_resolution().is_some_and(|held| wanted <= held);
        let only = facts.devices.is_none()
            && !self.question.by_device()
            && self.question.bin().is_none()
            && !self.question.wants_last();
        if !(segment.inside && only && fits && segment.of_type.has_cells()) {
            return Ok(false);
        }
        let Some(cells) = self.cache.cells(segment.file, &segment.of_type).await? else { return Ok(false) };
        if cells.iter().any(|group| self.relation(group) == Relation::Border) {
            return Ok(false);
        }
        let inside = cells.iter().filter(|group| self.relation(group) == Relation::Interior);
        self.add_groups(
            &mut share.groups,
            inside.map(|group| (Key { cell: group.cell, ..segment.key() }, group.sums)),
        );
        self.counters.segments_rollup.add(1);
        Ok(true)
    }
}
