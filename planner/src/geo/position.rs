//! Positions in degrees and the distance between them, checked as SQL functions need it.

use std::f64::consts::PI;

use datafusion::error::{DataFusionError, Result};
use h3o::{EARTH_RADIUS_KM, LatLng};

/// A position in degrees.
///
/// # Errors
/// `Execution` for degrees outside their range.
pub(crate) fn position(latitude: f64, longitude: f64) -> Result<LatLng> {
    check_degrees("latitude", latitude, 90.0)?;
    check_degrees("longitude", longitude, 180.0)?;
    LatLng::new(latitude, longitude).map_err(|error| refuse(error.to_string()))
}

/// Refuses degrees outside their range, and NaN.
///
/// # Errors
/// `Execution`.
pub(crate) fn check_degrees(name: &str, degrees: f64, max: f64) -> Result<()> {
    if degrees.abs() <= max {
        Ok(())
    } else {
        Err(refuse(format!("{name} {degrees} is not in [-{max}, {max}]")))
    }
}

/// Along the great circle, on H3's sphere. **Units**: metres.
pub(crate) fn distance_m(from: LatLng, to: LatLng) -> f64 {
    let metres = from.distance_m(to);
    // Between antipodes rounding can take the haversine above 1, and h3o the root of a negative number.
    if metres.is_nan() { PI * EARTH_RADIUS_KM * 1_000.0 } else { metres }
}

/// As [`distance_m`]. **Units**: radians.
pub(super) fn distance_rads(from: LatLng, to: LatLng) -> f64 {
    let radians = from.distance_rads(to);
    if radians.is_nan() { PI } else { radians }
}

/// An argument that a function does not take.
pub(crate) fn refuse(text: String) -> DataFusionError {
    DataFusionError::Execution(text)
}
