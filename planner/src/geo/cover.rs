//! `CellCover`: which cells can hold a position of an area. Decided from base cells down, coarsest first.
//!
//! H3's children are not contained in their parent's hexagon, and hexagon edges are great circles while box edges are not, so polygons are
//! never compared: a cell stands for the cap around its centre that is sure to hold every position of its descendants.

use std::collections::VecDeque;

use h3o::{CellIndex, LatLng, Resolution};

use super::{Areas, CellRange, Relation, rectangle::Cap};

/// Ranges of a cover where nothing else is asked for.
pub(crate) const RANGES_MAX: usize = 256;

/// Cells that are looked at for one cover: each takes about 0.3 µs.
pub(super) const LOOKS_MAX: usize = 2_048;

/// Children of a hexagon.
const CHILDREN: usize = 7;

/// Radius of a cell's cap in average edges of its resolution. Measured with 3.4 M positions aimed at cell borders, pentagons and extreme
/// descendants: none is farther than 1.1444 edges from the centre of any of its ancestors.
pub(super) const CAP_EDGES: f64 = 1.2;

/// Ranges of cells of one resolution, in order and apart, that hold every position of an area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CellCover {
    ranges: Vec<CellRange>,
}

impl CellCover {
    /// The ranges, in order.
    pub(crate) fn ranges(&self) -> &[CellRange] {
        &self.ranges
    }

    /// How the positions of cells `first..=last` lie to the area. Says nothing of rows without a location: those are in no area.
    pub(crate) fn relate(&self, first: i64, last: i64) -> Relation {
        let next = self.ranges.partition_point(|range| range.last < first);
        match self.ranges.get(next) {
            Some(range) if range.first <= last => {
                let inside = range.interior && range.first <= first && last <= range.last;
                if inside { Relation::Interior } else { Relation::Border }
            }
            _ => Relation::Disjoint,
        }
    }

    /// Whether a position of the area can be in one of the cells `first..=last`.
    pub(crate) fn overlaps(&self, first: i64, last: i64) -> bool {
        self.relate(first, last) != Relation::Disjoint
    }
}

/// See [`Areas::cover`].
pub(super) fn cover(areas: &Areas, resolution: Resolution, ranges_max: usize) -> CellCover {
    let mut descent =
        Descent { areas, resolution, looks: 0, undecided: VecDeque::new(), decided: Vec::new() };
    CellIndex::base_cells().for_each(|cell| descent.look_at(cell));
    while let Some(cell) = descent.undecided.pop_front() {
        let ranges = descent.undecided.len() + descent.decided.len() + CHILDREN;
        let finer = cell.resolution().succ().filter(|finer| *finer <= resolution);
        match finer {
            Some(finer) if ranges <= ranges_max && descent.looks + CHILDREN <= LOOKS_MAX => {
                cell.children(finer).for_each(|child| descent.look_at(child));
            }
            _ => descent.decide(cell, false),
        }
    }
    CellCover { ranges: at_most(merged(descent.decided), ranges_max.max(1)) }
}

struct Descent<'a> {
    areas: &'a Areas,
    resolution: Resolution,
    looks: usize,
    undecided: VecDeque<CellIndex>,
    decided: Vec<CellRange>,
}

impl Descent<'_> {
    fn look_at(&mut self, cell: CellIndex) {
        self.looks += 1;
        let radius_rads = CAP_EDGES * cell.resolution().edge_length_rads();
        match self.areas.relate_cap(&Cap { centre: LatLng::from(cell), radius_rads }) {
            Relation::Disjoint => {}
            Relation::Interior => self.decide(cell, true),
            Relation::Border => self.undecided.push_back(cell),
        }
    }

    fn decide(&mut self, cell: CellIndex, interior: bool) {
        self.decided.push(CellRange::of_descendants(cell, self.resolution, interior));
    }
}

/// Joins neighbours of the same kind that no cell lies between.
fn merged(mut ranges: Vec<CellRange>) -> Vec<CellRange> {
    ranges.sort_unstable_by_key(|range| range.first);
    let mut merged: Vec<CellRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if last.interior == range.interior && last.touches(&range) => last.last = range.last,
            _ => merged.push(range),
        }
    }
    merged
}

/// Should there still be too many, runs of them become one that must be tested.
fn at_most(ranges: Vec<CellRange>, ranges_max: usize) -> Vec<CellRange> {
    if ranges.len() <= ranges_max {
        return ranges;
    }
    let runs = ranges.chunks(ranges.len().div_ceil(ranges_max));
    let of_run = |run: &[CellRange]| CellRange {
        first: run[0].first,
        last: run[run.len() - 1].last,
        interior: run.len() == 1 && run[0].interior,
    };
    merged(runs.map(of_run).collect())
}
