//! `GeoCircle`: all points within a distance of a point.

use std::f64::consts::PI;

use datafusion::error::Result;
use h3o::{EARTH_RADIUS_KM, LatLng};

use super::{
    Rectangle, Relation, check_degrees, distance_m, position,
    position::distance_rads,
    rectangle::{Cap, SLACK_RADS},
    refuse,
};

/// Name of the function on circles, which is also looked for in predicates.
pub(crate) const WITHIN_RADIUS: &str = "geo_within_radius";

/// The circle of `geo_within_radius`; its border belongs to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GeoCircle {
    centre: LatLng,
    radius_m: f64,
}

impl GeoCircle {
    /// A circle around a position in degrees.
    ///
    /// # Errors
    /// `Execution` for a centre that is no position and for a radius that is no length.
    pub(crate) fn new(latitude: f64, longitude: f64, radius_m: f64) -> Result<Self> {
        if !(0.0..=f64::MAX).contains(&radius_m) {
            return Err(refuse(format!("radius {radius_m} is not a length of 0 or more metres")));
        }
        check_degrees("centre_latitude", latitude, 90.0)?;
        check_degrees("centre_longitude", longitude, 180.0)?;
        Ok(Self { centre: position(latitude, longitude)?, radius_m })
    }

    /// Whether a position is in the circle: the test of `geo_within_radius`.
    pub(crate) fn contains(&self, position: LatLng) -> bool {
        distance_m(self.centre, position) <= self.radius_m
    }

    /// The rectangles that hold the circle: one, or two on both sides of the antimeridian.
    pub(crate) fn rectangles(&self) -> (Rectangle, Option<Rectangle>) {
        Cap { centre: self.centre, radius_rads: self.radius_rads() }.rectangles()
    }

    fn radius_rads(&self) -> f64 {
        self.radius_m / (EARTH_RADIUS_KM * 1_000.0)
    }

    pub(super) fn relate_cap(&self, cap: &Cap) -> Relation {
        let distance = distance_rads(self.centre, cap.centre);
        self.relate_distances(distance - cap.radius_rads, distance + cap.radius_rads)
    }

    pub(super) fn relate(&self, rectangle: &Rectangle) -> Relation {
        let (nearest, farthest) = self.distances(rectangle);
        self.relate_distances(nearest, farthest)
    }

    /// Of points that are between two distances from the centre, in radians.
    fn relate_distances(&self, nearest: f64, farthest: f64) -> Relation {
        if nearest > self.radius_rads() + SLACK_RADS {
            Relation::Disjoint
        } else if farthest < self.radius_rads() - SLACK_RADS {
            Relation::Interior
        } else {
            Relation::Border
        }
    }

    /// The smallest and the largest distance from the centre to a point of a rectangle, in radians. On any parallel the nearest point
    /// has the nearest longitude and the farthest the farthest; on a meridian Δλ away the distance d to latitude φ is
    /// cos d = sin φ₀ sin φ + cos φ₀ cos Δλ cos φ, a sine wave in φ with one crest and one trough, half a turn apart.
    fn distances(&self, rectangle: &Rectangle) -> (f64, f64) {
        let (south, north) = (rectangle.south.to_radians(), rectangle.north.to_radians());
        let west = (rectangle.west.to_radians() - self.centre.lng_radians()).rem_euclid(2.0 * PI);
        let east = west + (rectangle.east - rectangle.west).to_radians();
        let from_zero = |angle: f64| {
            let turned = angle.rem_euclid(2.0 * PI);
            turned.min(2.0 * PI - turned)
        };
        let ends = [from_zero(west), from_zero(east)];
        // The interval begins in [0, 2π): the centre's own longitude is in it if it reaches a whole turn, the opposite one if
        // it reaches π or 3π.
        let nearest = if east >= 2.0 * PI || west == 0.0 { 0.0 } else { ends[0].min(ends[1]) };
        let opposite = (west <= PI && east >= PI) || east >= 3.0 * PI;
        let farthest = if opposite { PI } else { ends[0].max(ends[1]) };
        let crest = self.crest(nearest);
        let trough = self.crest(farthest) + PI;
        let near = [south, north, within(crest, south, north)];
        let far = [south, north, within(trough, south, north)];
        (
            near.map(|latitude| self.distance(latitude, nearest)).into_iter().fold(f64::INFINITY, f64::min),
            far.map(|latitude| self.distance(latitude, farthest)).into_iter().fold(0.0, f64::max),
        )
    }

    /// The latitude, perhaps beyond a pole, of the point nearest to the centre on a meridian.
    fn crest(&self, longitude: f64) -> f64 {
        let latitude = self.centre.lat_radians();
        latitude.sin().atan2(latitude.cos() * longitude.cos())
    }

    /// To a point at a latitude and a longitude from the centre's.
    fn distance(&self, latitude: f64, longitude: f64) -> f64 {
        let from = LatLng::from_radians(self.centre.lat_radians(), 0.0);
        let to = LatLng::from_radians(latitude, longitude);
        from.ok().zip(to.ok()).map_or(f64::NAN, |(from, to)| distance_rads(from, to))
    }
}

/// An angle, whole turns apart, if it lies in an interval of latitudes; else an end of it.
fn within(angle: f64, low: f64, high: f64) -> f64 {
    let turned = low + (angle - low).rem_euclid(2.0 * PI);
    if turned <= high { turned } else { low }
}
