//! Finds the areas in a predicate: conjuncts that compare `latitude` and `longitude` with constants, or ask for a circle of
//! constants. What is not understood is left out, so that the areas may be larger than what the predicate asks for, never smaller.

use std::sync::Arc;

use datafusion::{
    common::ScalarValue,
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr, ScalarFunctionExpr,
        expressions::{BinaryExpr, IsNotNullExpr, Literal},
    },
};
use hexflight_engine::TableRole;

use super::WITHIN_RADIUS;
use super::{
    Area, Areas, GeoBox, GeoCircle,
    interval::{Comparison, Intervals},
};
use crate::roles::{is_role, role_of};

/// Areas that a predicate asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extracted {
    /// Their intersection holds every position that satisfies the conjuncts.
    pub(crate) areas: Areas,
    /// Indexes of the conjuncts that are true of exactly the positions in the areas; null for a row without a location.
    pub(crate) used: Vec<usize>,
}

/// Takes conjuncts over a table's columns apart.
pub(crate) fn areas(conjuncts: &[Arc<dyn PhysicalExpr>]) -> Extracted {
    let (mut latitudes, mut longitudes) = (None, None);
    let mut circles = Vec::new();
    let mut used = Vec::new();
    for (index, conjunct) in conjuncts.iter().enumerate() {
        let taken = match said(conjunct) {
            Some(Said::Latitude(said)) => narrow(&mut latitudes, &said),
            Some(Said::Longitude(said)) => narrow(&mut longitudes, &said),
            // Wherever it is: a box without bounds.
            Some(Said::Somewhere) => narrow(&mut latitudes, &Intervals::all()),
            Some(Said::Circle(circle)) => {
                circles.push(Area::Circle(circle));
                true
            }
            None => false,
        };
        if taken {
            used.push(index);
        }
    }
    let mut list = Vec::new();
    if latitudes.is_some() || longitudes.is_some() {
        let [latitudes, longitudes] = [latitudes, longitudes].map(|said| said.unwrap_or_else(Intervals::all));
        list.push(Area::Box(GeoBox::new(latitudes, longitudes)));
    }
    list.append(&mut circles);
    Extracted { areas: Areas::new(list), used }
}

/// Keeps what is in both; leaves it as it was when that cannot be said.
fn narrow(known: &mut Option<Intervals>, said: &Intervals) -> bool {
    let narrowed = match known {
        Some(known) => known.and(said),
        None => Some(said.clone()),
    };
    let taken = narrowed.is_some();
    if taken {
        *known = narrowed;
    }
    taken
}

/// What one conjunct says, completely.
enum Said {
    Latitude(Intervals),
    Longitude(Intervals),
    Circle(GeoCircle),
    /// That there is a location.
    Somewhere,
}

fn said(expr: &Arc<dyn PhysicalExpr>) -> Option<Said> {
    if let Some(not_null) = expr.downcast_ref::<IsNotNullExpr>() {
        return role_of(not_null.arg())?.is_place().then_some(Said::Somewhere);
    }
    let Some(binary) = expr.downcast_ref::<BinaryExpr>() else { return circle(expr).map(Said::Circle) };
    let (left, right) = (binary.left(), binary.right());
    match binary.op() {
        Operator::Or => either(said(left)?, said(right)?, Intervals::or),
        Operator::And => either(said(left)?, said(right)?, Intervals::and),
        operator => match (role_of(left), as_degrees(right)) {
            (Some(role), Some(value)) => compared(role, comparison(*operator)?, value),
            _ => compared(role_of(right)?, comparison(operator.swap()?)?, as_degrees(left)?),
        },
    }
}

/// Combines two bounds on the same coordinate; `None` where they are about different ones.
fn either(left: Said, right: Said, joined: fn(&Intervals, &Intervals) -> Option<Intervals>) -> Option<Said> {
    match (left, right) {
        (Said::Latitude(left), Said::Latitude(right)) => joined(&left, &right).map(Said::Latitude),
        (Said::Longitude(left), Said::Longitude(right)) => joined(&left, &right).map(Said::Longitude),
        _ => None,
    }
}

fn compared(role: TableRole, comparison: Comparison, value: f64) -> Option<Said> {
    let intervals = Intervals::satisfying(comparison, value);
    match role {
        TableRole::Latitude => Some(Said::Latitude(intervals)),
        TableRole::Longitude => Some(Said::Longitude(intervals)),
        _ => None,
    }
}

fn comparison(operator: Operator) -> Option<Comparison> {
    Some(match operator {
        Operator::Lt => Comparison::Less,
        Operator::LtEq => Comparison::LessOrEqual,
        Operator::Eq => Comparison::Equal,
        Operator::NotEq => Comparison::NotEqual,
        Operator::GtEq => Comparison::GreaterOrEqual,
        Operator::Gt => Comparison::Greater,
        _ => return None,
    })
}

/// A circle of constants. A call that would be refused says nothing: it is refused when it runs.
pub(super) fn circle(expr: &Arc<dyn PhysicalExpr>) -> Option<GeoCircle> {
    let call = expr.downcast_ref::<ScalarFunctionExpr>()?;
    let [latitude, longitude, centre @ ..] = call.args() else { return None };
    let of_position = is_role(latitude, TableRole::Latitude) && is_role(longitude, TableRole::Longitude);
    let &[centre_latitude, centre_longitude, radius] = &centre else { return None };
    if call.name() != WITHIN_RADIUS || !of_position {
        return None;
    }
    GeoCircle::new(as_degrees(centre_latitude)?, as_degrees(centre_longitude)?, as_degrees(radius)?).ok()
}

fn as_degrees(expr: &Arc<dyn PhysicalExpr>) -> Option<f64> {
    match expr.downcast_ref::<Literal>()?.value() {
        ScalarValue::Float64(value) => *value,
        _ => None,
    }
}
