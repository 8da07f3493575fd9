//! Answers a question for one file: from its rollup what lies wholly inside, row by row what does not.

use std::{ops::Range, sync::Arc};

use datafusion::error::Result;
use hexflight_engine::{CellGroup, DataFile, MinuteGroup, NO_CELL, Rollup, Sums, TypeRollup, cell_parent};

use super::{
    counters::Counters,
    groups::{Groups, Key, Selection, sums_of},
    question::{Bin, MINUTE_MICROS, Question},
};
use crate::{
    cache::{ColumnKind, Columns, DeviceNames, SegmentCache},
    geo::{Rectangle, Relation},
};

/// What every file of a question needs.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) question: Arc<Question>,
    pub(super) cache: Arc<SegmentCache>,
    pub(super) names: Arc<DeviceNames>,
    /// Numbers of the devices asked for, sorted; `None`: any.
    pub(super) devices: Option<Arc<[u32]>>,
    pub(super) fingerprint: u128,
    pub(super) counters: Counters,
}

/// One type of a file.
#[derive(Clone, Copy)]
struct Segment<'a> {
    file: &'a Arc<DataFile>,
    of_type: TypeRollup<'a>,
    /// The type's number.
    kind: u32,
    cell_resolution: Option<u8>,
    /// Whether all its rows lie in the window.
    inside: bool,
}

/// Neighbouring rows of a segment that are treated alike.
#[derive(Debug, Clone)]
struct Piece {
    /// Counted from the segment's first row.
    rows: Range<usize>,
    /// The cell that they share, if they are known to share one.
    cell: Option<i64>,
    /// Whether each must be asked where it is.
    test_area: bool,
    /// What they add up to, if that is known.
    sums: Option<Sums>,
}

impl Work {
    /// Adds a file's rows to `groups`. `false`: it has no rollup that can be used, and nothing was added.
    pub(super) async fn add_file(&self, file: &Arc<DataFile>, groups: &mut Groups) -> Result<bool> {
        let Some(rollup) = self.cache.rollup(file).await? else { return Ok(false) };
        match &self.question.facts.types {
            Some(types) => {
                for of_type in types.iter().filter_map(|name| rollup.find(name)) {
                    self.add_type(file, &rollup, of_type, groups).await?;
                }
            }
            None => {
                for of_type in rollup.types() {
                    self.add_type(file, &rollup, of_type, groups).await?;
                }
            }
        }
        Ok(true)
    }

    /// Whether newer rows than all of the file's are known, when only the newest are wanted.
    pub(super) fn is_older_than_needed(&self, file: &DataFile, groups: &Groups) -> bool {
        if !self.question.only_wants_newest() {
            return false;
        }
        let newest = groups.newest_since(self.devices.as_deref().unwrap_or_default());
        newest.zip(file.time()).is_some_and(|(newest, (_, to))| to < newest)
    }

    async fn add_type(
        &self,
        file: &Arc<DataFile>,
        rollup: &Rollup,
        of_type: TypeRollup<'_>,
        groups: &mut Groups,
    ) -> Result<()> {
        let window = self.question.facts.window;
        if window.misses(of_type.time()) {
            self.counters.segments_pruned.add(1);
            return Ok(());
        }
        let kind = if self.question.by_type() { self.names.write().number(of_type.name()) } else { 0 };
        let inside = window.holds(of_type.time());
        let segment = Segment { file, of_type, kind, cell_resolution: rollup.cell_resolution(), inside };
        if self.add_whole(&segment, groups)
            || self.add_minutes(&segment, groups).await?
            || self.add_devices(&segment, groups).await?
            || self.add_cells(&segment, groups).await?
        {
            return Ok(());
        }
        if self.is_remembered(&segment) {
            self.add_remembered(&segment, groups).await
        } else {
            self.add_pieces(&segment, groups).await
        }
    }

    /// Whether rows are told apart by nothing but their type and time.
    fn asks_only_for_time(&self) -> bool {
        let Question { facts, .. } = self.question.as_ref();
        let anywhere = facts.areas.is_empty() && self.question.cell_resolution().is_none();
        anywhere && facts.devices.is_none() && !self.question.by_device() && !self.question.wants_last()
    }

    /// The segment's total answers.
    fn add_whole(&self, segment: &Segment<'_>, groups: &mut Groups) -> bool {
        let answers = segment.inside && self.asks_only_for_time() && self.question.bin().is_none();
        if answers {
            self.add_groups(groups, [(segment.key(), *segment.of_type.total())]);
            self.counters.segments_rollup.add(1);
        }
        answers
    }

    /// Whole minutes answer, and rows at the edges of the window.
    async fn add_minutes(&self, segment: &Segment<'_>, groups: &mut Groups) -> Result<bool> {
        let by_minutes = self.question.bin().is_none_or(Bin::is_of_minutes);
        if !(by_minutes && self.asks_only_for_time() && segment.of_type.has_minutes()) {
            return Ok(false);
        }
        let Some(minutes) = self.cache.minutes(segment.file, &segment.of_type).await? else {
            return Ok(false);
        };
        let window = self.question.facts.window;
        let core = WholeMinutes::of(window.from, window.to);
        let mut edges = false;
        let whole = minutes.iter().filter(|group| {
            let start = start_of(group);
            let is_whole = core.holds(start);
            edges |= !is_whole && !window.misses((start, start + MINUTE_MICROS - 1));
            is_whole
        });
        self.add_groups(
            groups,
            whole.map(|group| (Key { bin: start_of(group), ..segment.key() }, group.sums)),
        );
        if !edges {
            self.counters.segments_rollup.add(1);
            return Ok(true);
        }
        let columns = self.columns(segment, &[], true).await?;
        let in_edges = |time: i64| window.from <= time && time <= window.to && !core.holds(time);
        let mut rows = vec![];
        select(&mut rows, 0..columns.times.len(), |row| in_edges(columns.times[row]));
        self.count_raw(columns.times.len());
        groups.add_rows(segment.key(), None, &columns, &Selection::Some(&rows));
        Ok(true)
    }

    /// The groups by device answer.
    async fn add_devices(&self, segment: &Segment<'_>, groups: &mut Groups) -> Result<bool> {
        let Question { facts, .. } = self.question.as_ref();
        let asks = self.question.by_device() || facts.devices.is_some();
        let only = facts.areas.is_empty()
            && self.question.cell_resolution().is_none()
            && self.question.bin().is_none()
            && !self.question.wants_last();
        if !(segment.inside && asks && only && segment.of_type.has_devices()) {
            return Ok(false);
        }
        let Some(devices) = self.cache.devices(segment.file, &segment.of_type).await? else {
            return Ok(false);
        };
        let numbered: Vec<(Key, Sums)> = match &facts.devices {
            Some(wanted) => {
                let names = self.names.read();
                let found = wanted.iter().filter_map(|name| {
                    let place = devices.binary_search_by(|group| group.device.as_str().cmp(name)).ok()?;
                    Some((Key { device: names.find(name)?, ..segment.key() }, devices[place].sums))
                });
                found.collect()
            }
            None => {
                let mut names = self.names.write();
                let key = |group: &hexflight_engine::DeviceGroup| Key {
                    device: names.number(&group.device),
                    ..segment.key()
                };
                devices.iter().map(key).zip(devices.iter().map(|group| group.sums)).collect()
            }
        };
        self.add_groups(groups, numbered);
        self.counters.segments_rollup.add(1);
        Ok(true)
    }

    /// The groups by cell answer, if each is wholly inside or outside the place.
    async fn add_cells(&self, segment: &Segment<'_>, groups: &mut Groups) -> Result<bool> {
        let Question { facts, .. } = self.question.as_ref();
        let Some(wanted) = self.question.cell_resolution() else { return Ok(false) };
        let fits = segment.cell_resolution.is_some_and(|held| wanted <= held);
        let only = facts.devices.is_none()
            && !self.question.by_device()
            && self.question.bin().is_none()
            && !self.question.wants_last();
        if !(segment.inside && only && fits && segment.of_type.has_cells()) {
            return Ok(false);
        }
        let Some(cells) = self.cache.cells(segment.file, &segment.of_type).await? else { return Ok(false) };
        let relations: Vec<Relation> = cells.iter().map(|group| self.relation(group)).collect();
        if relations.contains(&Relation::Border) {
            return Ok(false);
        }
        let inside = cells.iter().zip(relations).filter(|(_, relation)| *relation == Relation::Interior);
        self.add_groups(
            groups,
            inside.map(|(group, _)| (Key { cell: group.cell, ..segment.key() }, group.sums)),
        );
        self.counters.segments_rollup.add(1);
        Ok(true)
    }

    /// Whether the segment comes to one number that is worth remembering: it does not change, and is asked for again.
    fn is_remembered(&self, segment: &Segment<'_>) -> bool {
        let Question { facts, .. } = self.question.as_ref();
        let one = self.question.bin().is_none()
            && self.question.cell_resolution().is_none()
            && !self.question.by_device()
            && !self.question.wants_last();
        segment.inside && one && (facts.devices.is_some() || !facts.areas.is_empty())
    }

    async fn add_remembered(&self, segment: &Segment<'_>, groups: &mut Groups) -> Result<()> {
        let first_row = segment.of_type.rows().start;
        if let Some(sums) = self.cache.answer(segment.file, self.fingerprint, first_row) {
            self.counters.answers_remembered.add(1);
            self.counters.segments_rollup.add(1);
            if sums.count > 0 {
                self.add_groups(groups, [(segment.key(), sums)]);
            }
            return Ok(());
        }
        let pieces = self.pieces(segment).await?;
        let mut total = Sums::EMPTY;
        let mut rows = vec![];
        let needs_rows = pieces.iter().any(|piece| !self.is_known(segment, piece));
        let columns =
            if needs_rows { self.piece_columns(segment, &pieces, true).await? } else { Columns::default() };
        for piece in &pieces {
            match piece.sums.filter(|_| self.is_known(segment, piece)) {
                Some(sums) => {
                    total.merge(&sums);
                    self.counters.rollup_groups.add(1);
                    self.counters.rollup_rows.add(piece.rows.len());
                }
                None => {
                    let selection = self.select_piece(segment, piece, &columns, &mut rows);
                    total.merge(&sums_of(&columns.values, &selection));
                }
            }
        }
        self.count_segment(needs_rows, !pieces.is_empty());
        self.cache.remember(segment.file, self.fingerprint, first_row, total);
        if total.count > 0 {
            groups.add_sums(segment.key(), &total);
        }
        Ok(())
    }

    async fn add_pieces(&self, segment: &Segment<'_>, groups: &mut Groups) -> Result<()> {
        let pieces = self.pieces(segment).await?;
        let mut rows = vec![];
        let needs_rows = pieces.iter().any(|piece| !self.is_known(segment, piece));
        let columns =
            if needs_rows { self.piece_columns(segment, &pieces, false).await? } else { Columns::default() };
        for piece in &pieces {
            match piece.sums.filter(|_| self.is_known(segment, piece)) {
                Some(sums) => {
                    self.add_groups(
                        groups,
                        [(Key { cell: piece.cell.unwrap_or(NO_CELL), ..segment.key() }, sums)],
                    );
                }
                None => {
                    let selection = self.select_piece(segment, piece, &columns, &mut rows);
                    groups.add_rows(segment.key(), piece.cell, &columns, &selection);
                }
            }
        }
        self.count_segment(needs_rows, !pieces.is_empty());
        Ok(())
    }

    /// Whether what a piece adds up to is the answer: nothing of it is left out, nothing in it is told apart.
    fn is_known(&self, segment: &Segment<'_>, piece: &Piece) -> bool {
        let question = &self.question;
        piece.sums.is_some()
            && segment.inside
            && !piece.test_area
            && question.facts.devices.is_none()
            && !question.by_device()
            && question.bin().is_none()
            && !question.wants_last()
    }

    /// Cuts a segment by its cells where the question is about places.
    async fn pieces(&self, segment: &Segment<'_>) -> Result<Vec<Piece>> {
        let Question { facts, .. } = self.question.as_ref();
        let wanted = self.question.cell_resolution();
        let fits = wanted.is_none_or(|wanted| segment.cell_resolution.is_some_and(|held| wanted <= held));
        let whole = Piece {
            rows: 0..segment.of_type.rows().len(),
            cell: None,
            test_area: !facts.areas.is_empty(),
            sums: Some(*segment.of_type.total()).filter(|_| wanted.is_none()),
        };
        let is_place = wanted.is_some() || !facts.areas.is_empty();
        if !is_place || !segment.of_type.has_cells() {
            return Ok(vec![whole]);
        }
        let Some(cells) = self.cache.cells(segment.file, &segment.of_type).await? else {
            return Ok(vec![whole]);
        };
        Ok(self.pieces_of(segment, &cells, if fits { wanted } else { None }, fits))
    }

    /// Neighbours that are treated alike become one piece.
    fn pieces_of(
        &self,
        segment: &Segment<'_>,
        cells: &[CellGroup],
        resolution: Option<u8>,
        fits: bool,
    ) -> Vec<Piece> {
        let first_row = segment.of_type.rows().start;
        let mut pieces: Vec<Piece> = vec![];
        let (mut interior, mut border, mut disjoint) = (0, 0, 0);
        for group in cells {
            let relation = self.relation(group);
            match relation {
                Relation::Disjoint => {
                    disjoint += 1;
                    continue;
                }
                Relation::Interior => interior += 1,
                Relation::Border => border += 1,
            }
            let start = (group.first_row - first_row) as usize;
            let rows = start..start + usize::try_from(group.sums.count).unwrap_or(0);
            let cell = resolution.map(|resolution| cell_parent(group.cell, resolution));
            let test_area = relation == Relation::Border;
            match pieces.last_mut() {
                Some(last) if last.rows.end == start && last.cell == cell && last.test_area == test_area => {
                    last.rows.end = rows.end;
                    if let Some(sums) = &mut last.sums {
                        sums.merge(&group.sums);
                    }
                }
                _ => pieces.push(Piece { rows, cell, test_area, sums: Some(group.sums).filter(|_| fits) }),
            }
        }
        if !self.question.facts.areas.is_empty() {
            self.counters.cells_interior.add(interior);
            self.counters.cells_border.add(border);
            self.counters.cells_disjoint.add(disjoint);
        }
        pieces
    }

    fn relation(&self, group: &CellGroup) -> Relation {
        let areas = &self.question.facts.areas;
        if areas.is_empty() {
            return Relation::Interior;
        }
        if group.cell == NO_CELL {
            // No location is in no place.
            return Relation::Disjoint;
        }
        let [south, north, west, east] = group.bounds.map(f64::from);
        areas.relate(&Rectangle { south, north, west, east })
    }

    /// The rows of a piece that match.
    fn select_piece<'a>(
        &self,
        segment: &Segment<'_>,
        piece: &Piece,
        columns: &Columns,
        rows: &'a mut Vec<u32>,
    ) -> Selection<'a> {
        let Question { facts, .. } = self.question.as_ref();
        self.counters.raw_rows.add(piece.rows.len());
        let mut all = true;
        if !segment.inside {
            let (from, to) = (facts.window.from, facts.window.to);
            let times = &columns.times;
            select(rows, piece.rows.clone(), |row| (from <= times[row]) & (times[row] <= to));
            all = false;
        }
        if let Some(wanted) = &self.devices {
            let devices = &columns.devices;
            match wanted.as_ref() {
                [one] => narrow(rows, &mut all, &piece.rows, |row| devices[row] == *one),
                several => {
                    narrow(rows, &mut all, &piece.rows, |row| several.binary_search(&devices[row]).is_ok())
                }
            }
        }
        if piece.test_area {
            let (latitudes, longitudes) = (&columns.latitudes, &columns.longitudes);
            narrow(rows, &mut all, &piece.rows, |row| {
                // NaN: no location, which is in no place.
                !latitudes[row].is_nan() && facts.areas.contains(latitudes[row], longitudes[row])
            });
        }
        if all { Selection::All(piece.rows.clone()) } else { Selection::Some(rows) }
    }

    async fn piece_columns(
        &self,
        segment: &Segment<'_>,
        pieces: &[Piece],
        all_measures: bool,
    ) -> Result<Columns> {
        let mut kinds = vec![];
        if self.question.by_device() || self.devices.is_some() {
            kinds.push(ColumnKind::Device);
        }
        if pieces.iter().any(|piece| piece.test_area) {
            kinds.extend([ColumnKind::Latitude, ColumnKind::Longitude]);
        }
        if self.question.cell_resolution().is_some() && pieces.iter().any(|piece| piece.cell.is_none()) {
            kinds.push(ColumnKind::Cell);
        }
        if all_measures && !self.question.wants_values() {
            kinds.push(ColumnKind::Value);
        }
        self.columns(segment, &kinds, !segment.inside).await
    }

    /// Columns of all rows of a segment: `kinds`, and what the measures and bins look at.
    async fn columns(&self, segment: &Segment<'_>, kinds: &[ColumnKind], times: bool) -> Result<Columns> {
        let mut kinds = kinds.to_vec();
        if times || self.question.bin().is_some() || self.question.wants_last() {
            kinds.push(ColumnKind::Time);
        }
        if self.question.wants_values() {
            kinds.push(ColumnKind::Value);
        }
        self.cache.columns(segment.file, segment.of_type.rows(), &kinds, &self.names).await
    }

    fn add_groups(&self, groups: &mut Groups, known: impl IntoIterator<Item = (Key, Sums)>) {
        let (mut count, mut rows) = (0, 0);
        for (key, sums) in known {
            groups.add_sums(key, &sums);
            count += 1;
            rows += usize::try_from(sums.count).unwrap_or(0);
        }
        self.counters.rollup_groups.add(count);
        self.counters.rollup_rows.add(rows);
    }

    fn count_raw(&self, rows: usize) {
        self.counters.raw_rows.add(rows);
        self.counters.segments_raw.add(1);
    }

    fn count_segment(&self, read_rows: bool, any: bool) {
        match (read_rows, any) {
            (true, _) => self.counters.segments_raw.add(1),
            (false, true) => self.counters.segments_rollup.add(1),
            (false, false) => self.counters.segments_pruned.add(1),
        }
    }
}

impl Segment<'_> {
    fn key(&self) -> Key {
        Key { kind: self.kind, ..Key::default() }
    }
}

/// The whole minutes of a window. **Units**: µs; `to` does not belong to them.
#[derive(Debug, Clone, Copy)]
struct WholeMinutes {
    from: i64,
    to: i64,
}

impl WholeMinutes {
    /// Of the window `from..=to`.
    fn of(from: i64, to: i64) -> Self {
        let floor = |time: i64| time.div_euclid(MINUTE_MICROS).saturating_mul(MINUTE_MICROS);
        Self { from: floor(from.saturating_add(MINUTE_MICROS - 1)), to: floor(to.saturating_add(1)) }
    }

    fn holds(&self, time: i64) -> bool {
        self.from <= time && time < self.to
    }
}

fn start_of(group: &MinuteGroup) -> i64 {
    i64::from(group.minute) * MINUTE_MICROS
}

/// Writes the rows of a range that match. Without a branch per row: which rows match is anybody's guess.
fn select(rows: &mut Vec<u32>, range: Range<usize>, matches: impl Fn(usize) -> bool) {
    rows.clear();
    rows.resize(range.len(), 0);
    let mut count = 0;
    for row in range {
        rows[count] = u32::try_from(row).unwrap_or(u32::MAX);
        count += usize::from(matches(row));
    }
    rows.truncate(count);
}

/// Leaves of what was selected the rows that match.
fn narrow(rows: &mut Vec<u32>, all: &mut bool, range: &Range<usize>, matches: impl Fn(usize) -> bool) {
    if std::mem::take(all) {
        return select(rows, range.clone(), matches);
    }
    let mut count = 0;
    for place in 0..rows.len() {
        let row = rows[place];
        rows[count] = row;
        count += usize::from(matches(row as usize));
    }
    rows.truncate(count);
}
