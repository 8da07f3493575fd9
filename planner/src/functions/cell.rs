//! H3 cells: positions to cells and back, parents, children, neighbours. Named and behaving as H3 v4's own API; an argument
//! that is no cell, or a resolution that H3 does not have, is an error.
//!
//! **Source**: the [H3 API reference](https://h3geo.org/docs/api/indexing), which `h3o` implements.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Float64Array, Float64Builder, Int64Array, Int64Builder,
        ListBuilder, StringArray,
    },
    datatypes::{DataType, Field, Float64Type, Int64Type},
};
use datafusion::error::Result;
use h3o::{CellIndex, LatLng, Resolution};

use super::row_function::RowFunction;
use crate::geo::{position, refuse};

/// Cells that one call may return: a disk of 577 rings, or the children seven resolutions down.
const CELLS_MAX: u64 = 1_000_000;

/// All functions on cells.
pub(super) fn functions() -> Vec<RowFunction> {
    use DataType::{Boolean, Float64, Int64, Utf8};
    let list = |item: DataType| DataType::List(Arc::new(Field::new_list_field(item, true)));
    let new = RowFunction::new;
    vec![
        new("h3_latlng_to_cell", vec![Float64, Float64, Int64], Int64, latlng_to_cell),
        new("h3_cell_to_lat", vec![Int64], Float64, |args| centre(args, LatLng::lat)),
        new("h3_cell_to_lng", vec![Int64], Float64, |args| centre(args, LatLng::lng)),
        new("h3_cell_to_latlng", vec![Int64], list(Float64), cell_to_latlng),
        new("h3_cell_to_boundary_wkt", vec![Int64], Utf8, cell_to_boundary_wkt),
        new("h3_cell_to_parent", vec![Int64, Int64], Int64, cell_to_parent),
        new("h3_cell_to_children", vec![Int64, Int64], list(Int64), cell_to_children),
        new("h3_grid_disk", vec![Int64, Int64], list(Int64), grid_disk),
        new("h3_grid_distance", vec![Int64, Int64], Int64, grid_distance),
        new("h3_get_resolution", vec![Int64], Int64, get_resolution),
        new("h3_is_valid_cell", vec![Int64], Boolean, is_valid_cell),
        new("h3_cell_area", vec![Int64, Utf8], Float64, cell_area).with_optional_last(vec![Int64, Utf8]),
        new("h3_cell_to_string", vec![Int64], Utf8, cell_to_string),
        new("h3_string_to_cell", vec![Utf8], Int64, string_to_cell),
    ]
}

fn latlng_to_cell(args: &[ArrayRef]) -> Result<ArrayRef> {
    let (latitudes, longitudes) = (floats(&args[0]), floats(&args[1]));
    let resolutions = integers(&args[2]);
    let cells = (0..latitudes.len()).map(|row| {
        if is_null(args, row) {
            return Ok(None);
        }
        let position = position(latitudes.value(row), longitudes.value(row))?;
        Ok(Some(to_int(position.to_cell(resolution(resolutions.value(row))?))))
    });
    Ok(Arc::new(cells.collect::<Result<Int64Array>>()?))
}

fn centre(args: &[ArrayRef], part: fn(LatLng) -> f64) -> Result<ArrayRef> {
    let degrees = cells(&args[0]).map(|cell| Ok(cell?.map(|cell| part(LatLng::from(cell)))));
    Ok(Arc::new(degrees.collect::<Result<Float64Array>>()?))
}

fn cell_to_latlng(args: &[ArrayRef]) -> Result<ArrayRef> {
    let mut pairs = ListBuilder::new(Float64Builder::new());
    for cell in cells(&args[0]) {
        let Some(cell) = cell? else {
            pairs.append_null();
            continue;
        };
        let centre = LatLng::from(cell);
        pairs.append_value([Some(centre.lat()), Some(centre.lng())]);
    }
    Ok(Arc::new(pairs.finish()))
}

fn cell_to_boundary_wkt(args: &[ArrayRef]) -> Result<ArrayRef> {
    let wkt = |cell: CellIndex| {
        let boundary = cell.boundary();
        let ring = boundary.iter().chain(boundary.first());
        let corners: Vec<String> = ring.map(|corner| format!("{} {}", corner.lng(), corner.lat())).collect();
        format!("POLYGON (({}))", corners.join(", "))
    };
    let texts = cells(&args[0]).map(|cell| Ok(cell?.map(wkt)));
    Ok(Arc::new(texts.collect::<Result<StringArray>>()?))
}

fn cell_to_parent(args: &[ArrayRef]) -> Result<ArrayRef> {
    let parents = cells_with(args).map(|pair| {
        let Some((cell, number)) = pair? else { return Ok(None) };
        let parent = cell.parent(resolution(number)?).ok_or_else(|| {
            refuse(format!("resolution {number} is finer than that of cell {cell}, {}", cell.resolution()))
        })?;
        Ok(Some(to_int(parent)))
    });
    Ok(Arc::new(parents.collect::<Result<Int64Array>>()?))
}

fn cell_to_children(args: &[ArrayRef]) -> Result<ArrayRef> {
    let mut lists = ListBuilder::new(Int64Builder::new());
    let mut total = 0;
    for pair in cells_with(args) {
        let Some((cell, number)) = pair? else {
            lists.append_null();
            continue;
        };
        let resolution = resolution(number)?;
        if resolution < cell.resolution() {
            let own = cell.resolution();
            return Err(refuse(format!("resolution {number} is coarser than that of cell {cell}, {own}")));
        }
        total += cell.children_count(resolution);
        refuse_too_many(total)?;
        lists.append_value(cell.children(resolution).map(|child| Some(to_int(child))));
    }
    Ok(Arc::new(lists.finish()))
}

fn grid_disk(args: &[ArrayRef]) -> Result<ArrayRef> {
    let mut lists = ListBuilder::new(Int64Builder::new());
    let mut total = 0_u64;
    for pair in cells_with(args) {
        let Some((cell, k)) = pair? else {
            lists.append_null();
            continue;
        };
        let rings = u64::try_from(k).map_err(|_| refuse(format!("k = {k}: must be 0 or more")))?;
        let cells = 3_u64.saturating_mul(rings).saturating_mul(rings.saturating_add(1)).saturating_add(1);
        total = total.saturating_add(cells);
        refuse_too_many(total)?;
        let k = u32::try_from(k).map_err(|_| refuse(format!("k = {k} is too large")))?;
        let disk: Vec<CellIndex> = cell.grid_disk(k);
        lists.append_value(disk.into_iter().map(|cell| Some(to_int(cell))));
    }
    Ok(Arc::new(lists.finish()))
}

/// Null where H3 defines no distance: cells of different resolutions, too far apart, or around a pentagon.
fn grid_distance(args: &[ArrayRef]) -> Result<ArrayRef> {
    let distances = cells_with(args).map(|pair| {
        let Some((origin, other)) = pair? else { return Ok(None) };
        Ok(origin.grid_distance(of_int(other)?).ok().map(i64::from))
    });
    Ok(Arc::new(distances.collect::<Result<Int64Array>>()?))
}

fn get_resolution(args: &[ArrayRef]) -> Result<ArrayRef> {
    let numbers = cells(&args[0]).map(|cell| Ok(cell?.map(|cell| i64::from(u8::from(cell.resolution())))));
    Ok(Arc::new(numbers.collect::<Result<Int64Array>>()?))
}

fn is_valid_cell(args: &[ArrayRef]) -> Result<ArrayRef> {
    let valid = integers(&args[0]).iter().map(|number| number.map(|number| of_int(number).is_ok()));
    Ok(Arc::new(valid.collect::<BooleanArray>()))
}

fn cell_area(args: &[ArrayRef]) -> Result<ArrayRef> {
    let units = args.get(1).map(|units| units.as_string::<i32>());
    let areas = cells(&args[0]).enumerate().map(|(row, cell)| {
        let Some(cell) = cell? else { return Ok(None) };
        match units {
            Some(units) if units.is_null(row) => Ok(None),
            Some(units) => area(cell, units.value(row)).map(Some),
            None => area(cell, "km^2").map(Some),
        }
    });
    Ok(Arc::new(areas.collect::<Result<Float64Array>>()?))
}

fn area(cell: CellIndex, unit: &str) -> Result<f64> {
    match unit {
        "km^2" => Ok(cell.area_km2()),
        "m^2" => Ok(cell.area_m2()),
        "rads^2" => Ok(cell.area_rads2()),
        _ => Err(refuse(format!("unit '{unit}': must be 'km^2', 'm^2' or 'rads^2'"))),
    }
}

fn cell_to_string(args: &[ArrayRef]) -> Result<ArrayRef> {
    let texts = cells(&args[0]).map(|cell| Ok(cell?.map(|cell| cell.to_string())));
    Ok(Arc::new(texts.collect::<Result<StringArray>>()?))
}

fn string_to_cell(args: &[ArrayRef]) -> Result<ArrayRef> {
    let cells = args[0].as_string::<i32>().iter().map(|text| {
        let Some(text) = text else { return Ok(None) };
        let cell: CellIndex = text.parse().map_err(|_| {
            let shown: String = text.chars().take(32).collect();
            refuse(format!("'{shown}' is not an H3 cell"))
        })?;
        Ok(Some(to_int(cell)))
    });
    Ok(Arc::new(cells.collect::<Result<Int64Array>>()?))
}

/// The cells of a column; each is checked.
fn cells(column: &ArrayRef) -> impl Iterator<Item = Result<Option<CellIndex>>> {
    integers(column).iter().map(|number| number.map(of_int).transpose())
}

/// The cells of the first argument with the numbers of the second.
fn cells_with(args: &[ArrayRef]) -> impl Iterator<Item = Result<Option<(CellIndex, i64)>>> {
    let pairs = integers(&args[0]).iter().zip(integers(&args[1]));
    pairs.map(|(cell, number)| {
        let Some((cell, number)) = cell.zip(number) else { return Ok(None) };
        Ok(Some((of_int(cell)?, number)))
    })
}

fn resolution(number: i64) -> Result<Resolution> {
    let resolution = u8::try_from(number).ok().and_then(|number| Resolution::try_from(number).ok());
    resolution.ok_or_else(|| refuse(format!("resolution {number} is not in [0, 15]")))
}

fn of_int(number: i64) -> Result<CellIndex> {
    CellIndex::try_from(number.cast_unsigned()).map_err(|_| refuse(format!("{number} is not an H3 cell")))
}

fn to_int(cell: CellIndex) -> i64 {
    u64::from(cell).cast_signed()
}

fn refuse_too_many(total: u64) -> Result<()> {
    if total <= CELLS_MAX { Ok(()) } else { Err(refuse(format!("{total} cells are more than {CELLS_MAX}"))) }
}

pub(super) fn floats(column: &ArrayRef) -> &Float64Array {
    column.as_primitive::<Float64Type>()
}

fn integers(column: &ArrayRef) -> &Int64Array {
    column.as_primitive::<Int64Type>()
}

pub(super) fn is_null(args: &[ArrayRef], row: usize) -> bool {
    args.iter().any(|column| column.is_null(row))
}
