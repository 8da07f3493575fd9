//! `GeoBox`: latitudes × longitudes.

use datafusion::error::Result;

use super::{Rectangle, Relation, check_degrees, interval::Intervals, refuse};

/// Points whose latitude is in one set and whose longitude is in another. Each bound is in or out, or missing; longitudes may lie
/// on both sides of the antimeridian.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GeoBox {
    latitudes: Intervals,
    longitudes: Intervals,
}

impl GeoBox {
    pub(super) fn new(latitudes: Intervals, longitudes: Intervals) -> Self {
        Self { latitudes, longitudes }
    }

    /// The box of `geo_bbox`: its borders belong to it; with `west > east` it crosses the antimeridian.
    ///
    /// # Errors
    /// `Execution` for bounds that are no degrees, and for `south > north`.
    pub(crate) fn closed(south: f64, north: f64, west: f64, east: f64) -> Result<Self> {
        check_degrees("min_latitude", south, 90.0)?;
        check_degrees("max_latitude", north, 90.0)?;
        check_degrees("min_longitude", west, 180.0)?;
        check_degrees("max_longitude", east, 180.0)?;
        if south > north {
            return Err(refuse(format!("min_latitude {south} is greater than max_latitude {north}")));
        }
        let longitudes = if west <= east {
            Intervals::closed(west, east)
        } else {
            Intervals::closed(-180.0, east)
                .or(&Intervals::closed(west, 180.0))
                .ok_or_else(|| refuse("two intervals are too many".to_owned()))?
        };
        Ok(Self::new(Intervals::closed(south, north), longitudes))
    }

    /// Whether a point satisfies the comparisons that the box is made of.
    pub(crate) fn contains(&self, latitude: f64, longitude: f64) -> bool {
        self.latitudes.contains(latitude) && self.longitudes.contains(longitude)
    }

    /// The same as one rectangle, if it is one.
    pub(super) fn rectangle(&self) -> Option<Rectangle> {
        let ((south, north), (west, east)) = self.latitudes.span().zip(self.longitudes.span())?;
        Some(Rectangle { south, north, west, east })
    }

    pub(super) fn relate(&self, rectangle: &Rectangle) -> Relation {
        let latitudes = self.latitudes.relate(rectangle.south, rectangle.north);
        latitudes.and(self.longitudes.relate(rectangle.west, rectangle.east))
    }
}
