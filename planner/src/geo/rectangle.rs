//! Rectangles of degrees, and the caps of the sphere that they hold.

use std::f64::consts::FRAC_PI_2;

use h3o::LatLng;

/// More than the arithmetic on angles is ever off: half a metre on the ground. h3o's distance is off by at most 2·10⁻⁸ (near the
/// antipode, where it takes the root of a difference), and so is an arc sine near 1.
pub(super) const SLACK_RADS: f64 = 1e-7;

/// All points between two latitudes and two longitudes, borders included. Never crosses the antimeridian.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rectangle {
    pub(crate) south: f64,
    pub(crate) north: f64,
    pub(crate) west: f64,
    pub(crate) east: f64,
}

impl Rectangle {
    /// Whether a point lies inside or on the border; NaN does not.
    pub(crate) fn contains(&self, latitude: f64, longitude: f64) -> bool {
        (self.south <= latitude)
            & (latitude <= self.north)
            & (self.west <= longitude)
            & (longitude <= self.east)
    }
}

/// All points within `radius_rads` of a point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cap {
    pub(super) centre: LatLng,
    pub(super) radius_rads: f64,
}

impl Cap {
    /// One rectangle, or two on both sides of the antimeridian, that hold every point of the cap, however its longitude is spelled.
    pub(super) fn rectangles(&self) -> (Rectangle, Option<Rectangle>) {
        let radius = self.radius_rads + SLACK_RADS;
        let latitude = self.centre.lat_radians();
        let south = (latitude - radius).to_degrees().max(-90.0);
        let north = (latitude + radius).to_degrees().min(90.0);
        let around = Rectangle { south, north, west: -180.0, east: 180.0 };
        if latitude.abs() + radius >= FRAC_PI_2 {
            return (around, None);
        }
        // The meridian that touches the cap does so where it is at a right angle to the radius.
        let width = (radius.sin() / latitude.cos()).min(1.0).asin() + SLACK_RADS;
        let (west, east) = (self.centre.lng() - width.to_degrees(), self.centre.lng() + width.to_degrees());
        if west < -180.0 {
            let beyond = Rectangle { west: west + 360.0, ..around };
            (Rectangle { east, ..around }, Some(beyond))
        } else if east > 180.0 {
            let beyond = Rectangle { east: east - 360.0, ..around };
            (Rectangle { west, ..around }, Some(beyond))
        } else {
            (Rectangle { west, east, ..around }, None)
        }
    }
}
