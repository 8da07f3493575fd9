//! Adds to a conjunction what its circles imply of latitude and longitude: comparisons, which statistics of files and pages can
//! answer and which cost less than a distance. Only for the conjuncts of a filter, where false and null are the same: inside a NOT
//! a comparison that is false, of a row whose other coordinate is null, would change the answer.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::{
    common::ScalarValue,
    error::Result,
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr, conjunction,
        expressions::{binary, col, lit},
        split_conjunction,
    },
};
use hexflight_engine::TableRole;

use super::{GeoCircle, Rectangle, extract::circle};

/// The same filter, with comparisons before each circle.
///
/// # Errors
/// `Internal` when the table has no latitude and longitude.
pub(crate) fn with_bounds(filter: Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
    let mut conjuncts = Vec::new();
    let mut any = false;
    for conjunct in split_conjunction(&filter) {
        if let Some(circle) = circle(conjunct) {
            let implied = implied(&circle, schema)?;
            any |= !implied.is_empty();
            conjuncts.extend(implied);
        }
        conjuncts.push(Arc::clone(conjunct));
    }
    Ok(if any { conjunction(conjuncts) } else { filter })
}

/// Comparisons that every position in a circle satisfies; none where they would say nothing.
fn implied(circle: &GeoCircle, schema: &Schema) -> Result<Vec<Arc<dyn PhysicalExpr>>> {
    let compare = |role: TableRole, operator, degrees: f64| {
        binary(col(role.name(), schema)?, operator, lit(ScalarValue::from(degrees)), schema)
    };
    let at_least = |role, low: f64| compare(role, Operator::GtEq, low);
    let at_most = |role, high: f64| compare(role, Operator::LtEq, high);
    let (Rectangle { south, north, west, east }, beyond) = circle.rectangles();
    let mut implied = Vec::new();
    if south > -90.0 {
        implied.push(at_least(TableRole::Latitude, south)?);
    }
    if north < 90.0 {
        implied.push(at_most(TableRole::Latitude, north)?);
    }
    match beyond {
        Some(beyond) => {
            let (west, east) = if west == -180.0 { (beyond.west, east) } else { (west, beyond.east) };
            let (from_west, to_east) =
                (at_least(TableRole::Longitude, west)?, at_most(TableRole::Longitude, east)?);
            implied.push(binary(from_west, Operator::Or, to_east, schema)?);
        }
        None if (west, east) != (-180.0, 180.0) => {
            implied.push(at_least(TableRole::Longitude, west)?);
            implied.push(at_most(TableRole::Longitude, east)?);
        }
        None => {}
    }
    Ok(implied)
}
