//! A segment is cut into pieces: neighbouring rows that are treated alike.

use std::ops::Range;

use datafusion::error::Result;
use hexflight_engine::{CellGroup, NO_CELL, Sums, cell_parent};

use super::{context::Work, question::Question, segment::Segment};
use crate::geo::{Rectangle, Relation};

/// Devices asked for at once beyond which it is not asked where each of them is.
const DEVICES_MAX: usize = 16;

/// Neighbouring rows of a segment that are treated alike.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// Counted from the segment's first row.
    pub(super) rows: Range<usize>,
    /// The cell that they share, if they are known to share one.
    pub(super) cell: Option<i64>,
    /// Whether each must be asked where it is.
    pub(super) test_area: bool,
    /// What they add up to, if that is known.
    pub(super) sums: Option<Sums>,
}

impl Piece {
    /// All rows of a segment.
    pub(super) fn whole(segment: &Segment<'_>, test_area: bool) -> Self {
        Self { rows: 0..segment.of_type.rows().len(), cell: None, test_area, sums: None }
    }
}

impl Work {
    /// Cuts a segment by where its devices are, if some are asked for, else by its cells if the question is about places.
    pub(super) async fn pieces(&self, segment: &Segment<'_>) -> Result<Vec<Piece>> {
        let Question { facts, .. } = self.question.as_ref();
        let wanted = self.question.cell_resolution();
        let fits =
            wanted.is_none_or(|wanted| segment.rollup.cell_resolution().is_some_and(|held| wanted <= held));
        let whole = Piece {
            sums: Some(*segment.of_type.total()).filter(|_| wanted.is_none()),
            ..Piece::whole(segment, !facts.areas.is_empty())
        };
        if let Some(devices) = &facts.devices {
            let names = devices.iter().map(String::as_str);
            if let Some(pieces) = self.device_pieces(segment, names, whole.test_area).await? {
                return Ok(pieces);
            }
        }
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
    pub(super) fn pieces_of(
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

    pub(super) fn relation(&self, group: &CellGroup) -> Relation {
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

    /// The blocks of rows in which devices may have any; `None` when that is not known.
    pub(super) async fn device_pieces(
        &self,
        segment: &Segment<'_>,
        devices: impl ExactSizeIterator<Item = &str>,
        test_area: bool,
    ) -> Result<Option<Vec<Piece>>> {
        if devices.len() > DEVICES_MAX {
            return Ok(None);
        }
        let known = self.cache.devices(segment.file, &segment.of_type, &self.names).await?;
        let Some(index) = known.as_ref().and_then(|known| known.index.as_ref()) else { return Ok(None) };
        let mut ranges: Vec<_> = devices.flat_map(|device| index.rows_of(device)).collect();
        ranges.sort_unstable_by_key(|range| range.start);
        let mut pieces: Vec<Piece> = vec![];
        for range in ranges {
            let rows = range.start as usize..range.end as usize;
            match pieces.last_mut() {
                Some(last) if rows.start <= last.rows.end => last.rows.end = last.rows.end.max(rows.end),
                _ => pieces.push(Piece { rows, cell: None, test_area, sums: None }),
            }
        }
        Ok(Some(pieces))
    }
}
