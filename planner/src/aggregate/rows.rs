//! Rows of a segment that are read one by one, where its rollup does not say enough.

use datafusion::error::Result;
use hexflight_engine::{NO_CELL, Sums};

use super::{
    context::Work,
    groups::{Key, Selection, sums_of},
    pieces::Piece,
    question::{MINUTE_MICROS, Question},
    segment::Segment,
    select::{narrow, select},
    share::Share,
};
use crate::cache::{ColumnKind, Columns};

impl Work {
    /// Whether the segment comes to one number that is worth remembering: it does not change, and is asked for again.
    pub(super) fn is_remembered(&self, segment: &Segment<'_>) -> bool {
        let Question { facts, .. } = self.question.as_ref();
        let one = self.question.bin().is_none()
            && self.question.cell_resolution().is_none()
            && !self.question.by_device()
            && !self.question.wants_last();
        segment.inside && one && (facts.devices.is_some() || !facts.areas.is_empty())
    }

    pub(super) async fn add_remembered(&self, segment: &Segment<'_>, share: &mut Share) -> Result<()> {
        let first_row = segment.of_type.rows().start;
        if let Some(sums) = self.cache.answer(segment.file, self.fingerprint, first_row) {
            self.counters.answers_remembered.add(1);
            self.counters.segments_rollup.add(1);
            if sums.count > 0 {
                self.add_groups(&mut share.groups, [(segment.key(), sums)]);
            }
            return Ok(());
        }
        let mut pieces = self.pieces(segment).await?;
        let mut total = Sums::EMPTY;
        let mut rows = vec![];
        let needs_rows = pieces.iter().any(|piece| !self.is_known(segment, piece));
        let columns = self.piece_columns(segment, &mut pieces, true).await?;
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
            share.groups.add_sums(segment.key(), &total);
        }
        Ok(())
    }

    pub(super) async fn add_pieces(&self, segment: &Segment<'_>, share: &mut Share) -> Result<()> {
        let mut pieces = self.pieces(segment).await?;
        let mut rows = vec![];
        let needs_rows = pieces.iter().any(|piece| !self.is_known(segment, piece));
        let columns = self.piece_columns(segment, &mut pieces, false).await?;
        for piece in &pieces {
            match piece.sums.filter(|_| self.is_known(segment, piece)) {
                Some(sums) => {
                    self.add_groups(
                        &mut share.groups,
                        [(Key { cell: piece.cell.unwrap_or(NO_CELL), ..segment.key() }, sums)],
                    );
                }
                None => {
                    let selection = self.select_piece(segment, piece, &columns, &mut rows);
                    share.groups.add_rows(segment.key(), piece.cell, &columns, &selection);
                }
            }
        }
        self.count_segment(needs_rows, !pieces.is_empty());
        Ok(())
    }

    /// Whether the precomputed sums of a piece can be used: every row of it matches, and all of them fall into one group.
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
            let inside = facts.window.test();
            select(
                rows,
                piece.rows.start,
                columns.times[piece.rows.clone()].iter().map(|time| inside(*time)),
            );
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
            match facts.areas.rectangle() {
                Some(rectangle) => narrow(rows, &mut all, &piece.rows, |row| {
                    rectangle.contains(latitudes[row], longitudes[row])
                }),
                None => narrow(rows, &mut all, &piece.rows, |row| {
                    // NaN: no location, which is in no place.
                    !latitudes[row].is_nan() && facts.areas.contains(latitudes[row], longitudes[row])
                }),
            }
        }
        if all { Selection::All(piece.rows.clone()) } else { Selection::Some(rows) }
    }

    /// Columns of the rows that pieces need. Where these are few they are read alone, and the pieces moved to where they are then.
    pub(super) async fn piece_columns(
        &self,
        segment: &Segment<'_>,
        pieces: &mut [Piece],
        all_measures: bool,
    ) -> Result<Columns> {
        let mut kinds = self.kinds(!segment.inside);
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
        let (all, mut wanted) = (segment.of_type.rows(), vec![]);
        for piece in pieces.iter().filter(|piece| !self.is_known(segment, piece)) {
            wanted.push(piece.rows.clone());
        }
        if wanted.is_empty() {
            return Ok(Columns::default());
        }
        let Some(columns) =
            self.cache.some_columns(segment.file, all.clone(), &wanted, &kinds, &self.names).await?
        else {
            return self.cache.columns(segment.file, all, &kinds, &self.names).await;
        };
        let mut start = 0;
        for piece in pieces.iter_mut().filter(|piece| !self.is_known(segment, piece)) {
            let end = start + piece.rows.len();
            piece.rows = start..end;
            start = end;
        }
        Ok(columns)
    }

    /// What the measures and bins look at of a row.
    fn kinds(&self, times: bool) -> Vec<ColumnKind> {
        let wanted = [
            (ColumnKind::Time, times || self.question.bin().is_some() || self.question.wants_last()),
            (ColumnKind::Value, self.question.wants_values()),
        ];
        wanted.into_iter().filter(|(_, is_wanted)| *is_wanted).map(|(kind, _)| kind).collect()
    }

    /// Columns of the rows of a minute, and maybe of others, with which the edges of a window are added up.
    pub(super) async fn minute_columns(&self, segment: &Segment<'_>, start: i64) -> Result<Columns> {
        let (rows, minute) = (segment.of_type.rows(), start..start.saturating_add(MINUTE_MICROS));
        self.cache.columns_of_minute(segment.file, rows, minute, &self.kinds(true), &self.names).await
    }
}
