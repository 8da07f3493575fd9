//! The rollup of a type by H3 cell of a coarse resolution. Rows are sorted by their cell, so each group is one range of rows.

use super::{
    Sums,
    wire::{Reader, Writer},
};
use crate::error::Result;

/// Stands for the cell of rows without a location.
pub const NO_CELL: i64 = 0;

/// The events of one type in one cell: a range of the file's rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CellGroup {
    /// The cell that H3 calls the rows' parent, or [`NO_CELL`].
    pub cell: i64,
    /// First row in the file; there are `sums.count`.
    pub first_row: u32,
    /// A rectangle around the rows' positions: south, north, west, east. **Units**: degrees. NaN without a location.
    pub bounds: [f32; 4],
    /// Their values.
    pub sums: Sums,
}

/// The ancestor of a cell at a resolution that is not finer: its digits beyond are unused, hence 7. That of [`NO_CELL`] is
/// [`NO_CELL`].
#[must_use]
pub fn cell_parent(cell: i64, resolution: u8) -> i64 {
    const RESOLUTION_SHIFT: u32 = 52;
    if cell == NO_CELL {
        return NO_CELL;
    }
    let cleared = cell & !(0xF << RESOLUTION_SHIFT);
    let unused = (1_i64 << (3 * (15 - u32::from(resolution)))) - 1;
    cleared | (i64::from(resolution) << RESOLUTION_SHIFT) | unused
}

/// Adds up rows that come in order of their cells.
#[derive(Debug)]
pub(super) struct CellBuilder {
    resolution: u8,
    groups: Vec<CellGroup>,
    /// The group's bounds, not yet rounded.
    bounds: [f64; 4],
}

const NOWHERE: [f64; 4] = [f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY, f64::NEG_INFINITY];

impl CellBuilder {
    pub(super) fn new(resolution: u8) -> Self {
        Self { resolution, groups: vec![], bounds: NOWHERE }
    }

    /// Adds row `row` of the file.
    #[inline]
    pub(super) fn push(&mut self, row: u32, cell: i64, latitude: f64, longitude: f64, value: f64) {
        let cell = cell_parent(cell, self.resolution);
        if self.groups.last().is_none_or(|group| group.cell != cell) {
            self.close();
            self.groups.push(CellGroup { cell, first_row: row, bounds: [f32::NAN; 4], sums: Sums::EMPTY });
        }
        if let Some(group) = self.groups.last_mut() {
            group.sums.add(value);
        }
        // NaN where there is no location: no comparison with it holds.
        let [south, north, west, east] = &mut self.bounds;
        *south = if latitude < *south { latitude } else { *south };
        *north = if latitude > *north { latitude } else { *north };
        *west = if longitude < *west { longitude } else { *west };
        *east = if longitude > *east { longitude } else { *east };
    }

    fn close(&mut self) {
        let [south, north, west, east] = std::mem::replace(&mut self.bounds, NOWHERE);
        if let Some(group) = self.groups.last_mut()
            && south <= north
        {
            group.bounds = [below(south), above(north), below(west), above(east)];
        }
    }

    pub(super) fn finish(mut self) -> Vec<CellGroup> {
        self.close();
        self.groups
    }
}

/// The largest `f32` that is not above.
#[expect(clippy::cast_possible_truncation, reason = "rounded, then corrected")]
fn below(degrees: f64) -> f32 {
    let rounded = degrees as f32;
    if f64::from(rounded) > degrees { rounded.next_down() } else { rounded }
}

/// The smallest `f32` that is not below.
fn above(degrees: f64) -> f32 {
    -below(-degrees)
}

/// The same groups by a coarser resolution; neighbours stay neighbours.
pub(super) fn coarsened(groups: &[CellGroup], resolution: u8) -> Vec<CellGroup> {
    let mut coarse: Vec<CellGroup> = vec![];
    for group in groups {
        let cell = cell_parent(group.cell, resolution);
        match coarse.last_mut() {
            Some(last) if last.cell == cell => {
                last.sums.merge(&group.sums);
                let [south, north, west, east] = group.bounds;
                last.bounds = [
                    last.bounds[0].min(south),
                    last.bounds[1].max(north),
                    last.bounds[2].min(west),
                    last.bounds[3].max(east),
                ];
            }
            _ => coarse.push(CellGroup { cell, ..*group }),
        }
    }
    coarse
}

/// First rows follow from the counts.
pub(super) fn write(groups: &[CellGroup], writer: &mut Writer) {
    groups.iter().for_each(|group| writer.i64(group.cell));
    for side in 0..4 {
        for group in groups {
            writer.0.extend_from_slice(&group.bounds[side].to_le_bytes());
        }
    }
    writer.sums(groups.iter().map(|group| &group.sums));
}

pub(super) fn read(reader: &mut Reader<'_>, count: usize, first_row: u32) -> Result<Vec<CellGroup>> {
    let cells = reader.i64s(count)?;
    let [south, north, west, east] =
        [reader.f32s(count)?, reader.f32s(count)?, reader.f32s(count)?, reader.f32s(count)?];
    let sums = reader.sums(count)?;
    let mut next = first_row;
    let groups = cells.into_iter().zip(sums).enumerate().map(|(place, (cell, sums))| {
        let bounds = [south[place], north[place], west[place], east[place]];
        let group = CellGroup { cell, first_row: next, bounds, sums };
        next = next.saturating_add(u32::try_from(sums.count).unwrap_or(u32::MAX));
        group
    });
    Ok(groups.collect())
}
