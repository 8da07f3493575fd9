//! Geometry on positions: boxes, distances, circles.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, BooleanArray, Float64Array},
    datatypes::DataType,
};
use datafusion::{
    common::ScalarValue,
    error::Result,
    logical_expr::{Expr, and, lit, or},
};

use super::{
    cell::{check_degrees, floats, is_null, position, refuse},
    row_function::RowFunction,
};

/// All functions on positions.
pub(super) fn functions() -> Vec<RowFunction> {
    use DataType::{Boolean, Float64};
    vec![
        RowFunction::new("geo_bbox", vec![Float64; 6], Boolean, bbox).with_rewrite(bbox_as_comparisons),
        RowFunction::new("geo_distance_m", vec![Float64; 4], Float64, distance_m),
        RowFunction::new("geo_within_radius", vec![Float64; 5], Boolean, within_radius),
    ]
}

/// A box on the globe. Its borders belong to it; with `west > east` it crosses the antimeridian.
struct GeoBox {
    south: f64,
    north: f64,
    west: f64,
    east: f64,
}

impl GeoBox {
    fn new(south: f64, north: f64, west: f64, east: f64) -> Result<Self> {
        check_degrees("min_latitude", south, 90.0)?;
        check_degrees("max_latitude", north, 90.0)?;
        check_degrees("min_longitude", west, 180.0)?;
        check_degrees("max_longitude", east, 180.0)?;
        if south > north {
            return Err(refuse(format!("min_latitude {south} is greater than max_latitude {north}")));
        }
        Ok(Self { south, north, west, east })
    }

    fn contains(&self, latitude: f64, longitude: f64) -> bool {
        let between = if self.west <= self.east {
            self.west <= longitude && longitude <= self.east
        } else {
            longitude >= self.west || longitude <= self.east
        };
        self.south <= latitude && latitude <= self.north && between
    }
}

/// `geo_bbox(latitude, longitude, min_latitude, max_latitude, min_longitude, max_longitude)`.
fn bbox(args: &[ArrayRef]) -> Result<ArrayRef> {
    let [latitudes, longitudes, south, north, west, east] =
        [0, 1, 2, 3, 4, 5].map(|index| floats(&args[index]));
    let inside = (0..latitudes.len()).map(|row| {
        if is_null(args, row) {
            return Ok(None);
        }
        let bounds = GeoBox::new(south.value(row), north.value(row), west.value(row), east.value(row))?;
        Ok(Some(bounds.contains(latitudes.value(row), longitudes.value(row))))
    });
    Ok(Arc::new(inside.collect::<Result<BooleanArray>>()?))
}

/// With constant bounds the box is plain comparisons, which prune.
fn bbox_as_comparisons(args: &[Expr]) -> Option<Expr> {
    let [latitude, longitude, bounds @ ..] = args else { return None };
    let degrees: Option<Vec<f64>> = bounds.iter().map(degrees).collect();
    let &[south, north, west, east] = degrees?.as_slice() else { return None };
    let bounds = GeoBox::new(south, north, west, east).ok()?;
    let in_latitude =
        and(latitude.clone().gt_eq(lit(bounds.south)), latitude.clone().lt_eq(lit(bounds.north)));
    let (from_west, to_east) =
        (longitude.clone().gt_eq(lit(bounds.west)), longitude.clone().lt_eq(lit(bounds.east)));
    let in_longitude = if west <= east { and(from_west, to_east) } else { or(from_west, to_east) };
    Some(and(in_latitude, in_longitude))
}

fn degrees(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Literal(ScalarValue::Float64(value), _) => *value,
        _ => None,
    }
}

/// `geo_distance_m(latitude, longitude, other_latitude, other_longitude)`: along the great circle, on H3's sphere.
fn distance_m(args: &[ArrayRef]) -> Result<ArrayRef> {
    let [latitudes, longitudes, others, other_longitudes] = [0, 1, 2, 3].map(|index| floats(&args[index]));
    let metres = (0..latitudes.len()).map(|row| {
        if is_null(args, row) {
            return Ok(None);
        }
        let from = position(latitudes.value(row), longitudes.value(row))?;
        let to = position(others.value(row), other_longitudes.value(row))?;
        Ok(Some(from.distance_m(to)))
    });
    Ok(Arc::new(metres.collect::<Result<Float64Array>>()?))
}

/// `geo_within_radius(latitude, longitude, centre_latitude, centre_longitude, radius_m)`: the border belongs to the circle.
fn within_radius(args: &[ArrayRef]) -> Result<ArrayRef> {
    let [latitudes, longitudes, centres, centre_longitudes, radii] =
        [0, 1, 2, 3, 4].map(|index| floats(&args[index]));
    let inside = (0..latitudes.len()).map(|row| {
        if is_null(args, row) {
            return Ok(None);
        }
        let radius = radii.value(row);
        if !(0.0..=f64::MAX).contains(&radius) {
            return Err(refuse(format!("radius {radius} is not a length of 0 or more metres")));
        }
        let centre = position(centres.value(row), centre_longitudes.value(row))?;
        let place = position(latitudes.value(row), longitudes.value(row))?;
        Ok(Some(centre.distance_m(place) <= radius))
    });
    Ok(Arc::new(inside.collect::<Result<BooleanArray>>()?))
}
