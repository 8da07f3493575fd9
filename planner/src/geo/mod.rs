//! Places that a query asks for, and which H3 cells can hold them. H3 only saves work here: what a place contains is said by the same
//! arithmetic that the SQL predicate runs, and a cover only tells which rows need not be asked.
//!
//! ```text
//! conjuncts ─ extract ─▶ Areas (boxes, circles) ─ cover ─▶ CellCover: ranges of ids ─▶ prune, rollups
//!                          └ contains: the exact test, also of the SQL functions
//! ```
//!
//! Degrees are WGS84, latitude first. Angles in radians say so in their names.

mod position;
mod interval;
mod rectangle;
mod geo_box;
mod circle;
mod area;
mod cell_range;
mod cover;
mod extract;
mod bounds;
#[cfg(test)]
mod random;
#[cfg(test)]
mod area_tests;
#[cfg(test)]
mod cover_tests;

pub(crate) use area::{Area, Areas};
pub(crate) use bounds::with_bounds;
pub(crate) use cell_range::CellRange;
pub(crate) use circle::{GeoCircle, WITHIN_RADIUS};
pub(crate) use cover::{CellCover, RANGES_MAX};
pub(crate) use extract::areas;
pub(crate) use geo_box::GeoBox;
pub(crate) use position::{check_degrees, distance_m, position, refuse};
pub(crate) use rectangle::Rectangle;

/// How a set of points lies to an area. `Disjoint` and `Interior` are proofs; `Border` says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    /// No point is in the area.
    Disjoint,
    /// Every point is in the area.
    Interior,
    /// Each point must be asked.
    Border,
}

impl Relation {
    /// Of the same points to the intersection of two areas.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Disjoint, _) | (_, Self::Disjoint) => Self::Disjoint,
            (Self::Interior, Self::Interior) => Self::Interior,
            _ => Self::Border,
        }
    }

    /// Of the points of two sets together to the same area.
    pub(crate) fn with(self, other: Self) -> Self {
        if self == other { self } else { Self::Border }
    }
}
