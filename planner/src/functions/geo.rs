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
    cell::{floats, is_null},
    row_function::RowFunction,
};
use crate::geo::{self, GeoBox, GeoCircle, WITHIN_RADIUS, position};

/// All functions on positions.
pub(super) fn functions() -> Vec<RowFunction> {
    use DataType::{Boolean, Float64};
    vec![
        RowFunction::new("geo_bbox", vec![Float64; 6], Boolean, bbox).with_rewrite(bbox_as_comparisons),
        RowFunction::new("geo_distance_m", vec![Float64; 4], Float64, distance_m),
        RowFunction::new(WITHIN_RADIUS, vec![Float64; 5], Boolean, within_radius),
    ]
}

/// `geo_bbox(latitude, longitude, min_latitude, max_latitude, min_longitude, max_longitude)`.
fn bbox(args: &[ArrayRef]) -> Result<ArrayRef> {
    let [latitudes, longitudes, south, north, west, east] =
        [0, 1, 2, 3, 4, 5].map(|index| floats(&args[index]));
    let mut boxes = Latest::default();
    let inside = (0..latitudes.len()).map(|row| {
        if is_null(args, row) {
            return Ok(None);
        }
        let bounds = [south, north, west, east].map(|column| column.value(row));
        let asked =
            boxes.of(bounds, |[south, north, west, east]| GeoBox::closed(south, north, west, east))?;
        Ok(Some(asked.contains(latitudes.value(row), longitudes.value(row))))
    });
    Ok(Arc::new(inside.collect::<Result<BooleanArray>>()?))
}

/// With constant bounds the box is plain comparisons, which prune. One that crosses the antimeridian is kept from taking in
/// longitudes that there are not, as the function is.
fn bbox_as_comparisons(args: &[Expr]) -> Option<Expr> {
    let [latitude, longitude, bounds @ ..] = args else { return None };
    let degrees: Option<Vec<f64>> = bounds.iter().map(degrees).collect();
    let &[south, north, west, east] = degrees?.as_slice() else { return None };
    GeoBox::closed(south, north, west, east).ok()?;
    let at_least = |expr: &Expr, low: f64| expr.clone().gt_eq(lit(low));
    let at_most = |expr: &Expr, high: f64| expr.clone().lt_eq(lit(high));
    let in_latitude = and(at_least(latitude, south), at_most(latitude, north));
    let (from_west, to_east) = (at_least(longitude, west), at_most(longitude, east));
    let in_longitude = if west <= east {
        and(from_west, to_east)
    } else {
        let exists = and(at_least(longitude, -180.0), at_most(longitude, 180.0));
        and(or(from_west, to_east), exists)
    };
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
        Ok(Some(geo::distance_m(from, to)))
    });
    Ok(Arc::new(metres.collect::<Result<Float64Array>>()?))
}

/// `geo_within_radius(latitude, longitude, centre_latitude, centre_longitude, radius_m)`: the border belongs to the circle.
fn within_radius(args: &[ArrayRef]) -> Result<ArrayRef> {
    let [latitudes, longitudes, centres, centre_longitudes, radii] =
        [0, 1, 2, 3, 4].map(|index| floats(&args[index]));
    let mut circles = Latest::default();
    let inside = (0..latitudes.len()).map(|row| {
        if is_null(args, row) {
            return Ok(None);
        }
        let circle = [centres, centre_longitudes, radii].map(|column| column.value(row));
        let asked = circles
            .of(circle, |[latitude, longitude, radius]| GeoCircle::new(latitude, longitude, radius))?;
        Ok(Some(asked.contains(position(latitudes.value(row), longitudes.value(row))?)))
    });
    Ok(Arc::new(inside.collect::<Result<BooleanArray>>()?))
}

/// What the numbers of the row before made: mostly they are the same in every row.
struct Latest<const N: usize, T> {
    made: Option<([u64; N], T)>,
}

impl<const N: usize, T> Default for Latest<N, T> {
    fn default() -> Self {
        Self { made: None }
    }
}

impl<const N: usize, T> Latest<N, T> {
    fn of(&mut self, numbers: [f64; N], make: impl FnOnce([f64; N]) -> Result<T>) -> Result<&T> {
        let bits = numbers.map(f64::to_bits);
        let made = match self.made.take().filter(|(of, _)| *of == bits) {
            Some((_, made)) => made,
            None => make(numbers)?,
        };
        Ok(&self.made.insert((bits, made)).1)
    }
}
