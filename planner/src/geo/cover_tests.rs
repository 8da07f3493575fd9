//! Covers against brute force: whatever is in the area is in the cover, and what is in an interior range is in the area.

use h3o::{CellIndex, LatLng, Resolution};

use super::{
    Area, Areas, CellCover, CellRange, GeoBox, GeoCircle, Relation,
    cover::{CAP_EDGES, LOOKS_MAX},
    position,
    random::{Random, describe, random_areas, rounds},
    rectangle::Cap,
};
use hexflight_engine::time;

const NINE: Resolution = Resolution::Nine;

#[test]
fn covers_hold_what_areas_hold() {
    let mut random = Random(11);
    let mut interior = 0;
    for round in 0..rounds(400) {
        let (areas, corners) = random_areas(&mut random);
        let ranges_max = random.of(&[1, 7, 100, 256, 256, 256, 1_000]);
        let any = Resolution::try_from(u8::try_from(random.below(16)).unwrap()).unwrap();
        let resolution = if round % 8 == 0 { any } else { NINE };
        let cover = areas.cover(resolution, ranges_max);
        check_shape(&cover, resolution, ranges_max);
        for _ in 0..40 {
            let point = random_point(&mut random, &corners);
            interior += usize::from(check_point(&areas, &cover, resolution, point));
        }
    }
    assert!(interior > 100, "interior ranges were tested: {interior}");
}

#[test]
fn points_on_borders_and_beside_them_are_found() {
    let mut random = Random(12);
    for _ in 0..rounds(150) {
        let (areas, corners) = random_areas(&mut random);
        let cover = areas.cover(NINE, 256);
        for (latitude, longitude) in corners {
            for step in [0.0, 1e-12, -1e-12, 1e-9, -1e-9] {
                let latitude = (latitude + step).clamp(-90.0, 90.0);
                for step in [0.0, 1e-12, -1e-12] {
                    let point = (latitude, (longitude + step).clamp(-180.0, 180.0));
                    check_point(&areas, &cover, NINE, point);
                }
            }
        }
    }
}

#[test]
fn pentagons_poles_and_the_antimeridian_are_covered() {
    let mut random = Random(13);
    let pentagons: Vec<(f64, f64)> = Resolution::range(Resolution::Zero, NINE)
        .flat_map(Resolution::pentagons)
        .map(|cell| (LatLng::from(cell).lat(), LatLng::from(cell).lng()))
        .collect();
    for round in 0..rounds(300) {
        let place = match round % 3 {
            0 => random.of(&pentagons),
            1 => (random.of(&[90.0, -90.0]), random.between(-180.0, 180.0)),
            _ => (random.between(-90.0, 90.0), random.of(&[180.0, -180.0])),
        };
        let degrees = random.scale(60.0);
        let circle = Area::Circle(GeoCircle::new(place.0, place.1, degrees * 111_000.0).unwrap());
        let (south, north) = ((place.0 - degrees).max(-90.0), (place.0 + degrees).min(90.0));
        let (west, east) = (wrapped(place.1 - degrees), wrapped(place.1 + degrees));
        let bounds = Area::Box(GeoBox::closed(south, north, west, east).unwrap());
        for area in [circle, bounds] {
            let areas = Areas::new(vec![area]);
            let cover = areas.cover(NINE, 256);
            for _ in 0..25 {
                let point = random.near(place, degrees);
                check_point(&areas, &cover, NINE, point);
            }
            check_point(&areas, &cover, NINE, place);
            check_point(&areas, &cover, NINE, (place.0, -place.1));
        }
    }
}

#[test]
fn caps_hold_extreme_descendants() {
    let mut random = Random(14);
    let finest = if rounds(1) > 1 { Resolution::Four } else { Resolution::Two };
    for resolution in Resolution::range(Resolution::Zero, finest) {
        for base in CellIndex::base_cells() {
            base.children(resolution).for_each(|cell| check_cap(cell, &mut random));
        }
    }
    for _ in 0..rounds(4_000) {
        let (latitude, longitude) = random.position();
        let resolution = Resolution::try_from(u8::try_from(3 + random.below(6)).unwrap()).unwrap();
        check_cap(position(latitude, longitude).unwrap().to_cell(resolution), &mut random);
    }
}

#[test]
fn ranges_hold_the_descendants_and_nothing_else() {
    let pentagon = CellIndex::base_cells().find(|cell| cell.is_pentagon()).unwrap();
    for cell in
        [CellIndex::base_cells().next().unwrap(), pentagon, pentagon.center_child(Resolution::Two).unwrap()]
    {
        for finer in Resolution::range(cell.resolution(), Resolution::Five) {
            let children: Vec<i64> = cell.children(finer).map(id).collect();
            let range = CellRange::of_descendants(cell, finer, true);
            assert_eq!(
                (range.first, range.last),
                (*children.iter().min().unwrap(), *children.iter().max().unwrap())
            );
            let next = CellIndex::try_from(range.last.cast_unsigned()).unwrap().succ().unwrap();
            assert!(!children.contains(&id(next)));
            assert!(range.touches(&CellRange { first: id(next), last: id(next), interior: true }));
        }
    }
}

#[test]
fn the_world_is_one_interior_range_and_nowhere_is_none() {
    let world = Areas::default().cover(NINE, 256);
    assert_eq!(world.ranges().len(), 1);
    assert_eq!(world.relate(id(CellIndex::first(NINE)), id(CellIndex::last(NINE))), Relation::Interior);
    let closed = areas_of(GeoBox::closed(-90.0, 90.0, -180.0, 180.0).unwrap()).cover(NINE, 256);
    assert_eq!(closed, world);
    let far = GeoCircle::new(0.0, 0.0, f64::MAX).unwrap();
    assert_eq!(Areas::new(vec![Area::Circle(far)]).cover(NINE, 256), world);
    let [here, there] = [10.0, 20.0].map(|south| GeoBox::closed(south, south + 1.0, 0.0, 1.0).unwrap());
    let nowhere = Areas::new(vec![Area::Box(here), Area::Box(there)]);
    assert!(nowhere.cover(NINE, 256).ranges().is_empty());
}

#[test]
fn a_cover_is_as_small_as_it_can_be() {
    let zurich = (47.376_9, 8.541_7);
    let point = areas_of(GeoBox::closed(zurich.0, zurich.0, zurich.1, zurich.1).unwrap()).cover(NINE, 256);
    assert!(point.ranges().len() <= 3, "{point:?}");
    let city = GeoCircle::new(zurich.0, zurich.1, 5_000.0).unwrap();
    let cover = Areas::new(vec![Area::Circle(city)]).cover(NINE, 256);
    let (cells, interior) = cells_of(&cover);
    // 78.5 km² of 0.105 km² each; the border is a band two cells wide.
    assert!((750..1_300).contains(&cells), "{cells} cells");
    assert!(interior * 2 > cells, "{interior} of {cells} cells are inside");
}

#[test]
fn the_work_is_bounded() {
    let slivers = [
        GeoBox::closed(47.0, 47.000_000_1, -180.0, 180.0).unwrap(),
        GeoBox::closed(-90.0, 90.0, 8.0, 8.000_000_1).unwrap(),
        GeoBox::closed(-89.999_999_9, 89.999_999_9, -179.999_999_9, 179.999_999_9).unwrap(),
        GeoBox::closed(0.0, 0.0, 0.0, 0.0).unwrap(),
        GeoBox::closed(40.0, 50.0, 0.0, 20.0).unwrap(),
    ];
    for bounds in slivers {
        let areas = areas_of(bounds);
        let started = time::now();
        let cover = areas.cover(NINE, 256);
        // Unoptimised and on a busy machine: looks, not time, are what is bounded.
        assert!(started.elapsed().as_millis() < 500, "{areas:?} took {:?}", started.elapsed());
        assert!(!cover.ranges().is_empty());
    }
    const { assert!(LOOKS_MAX <= 2_048) };
}

/// A range of ids is disjoint, interior or neither as its single cells are.
#[test]
fn relations_of_ranges_are_those_of_their_cells() {
    let mut random = Random(15);
    for _ in 0..rounds(200) {
        let (areas, corners) = random_areas(&mut random);
        let cover = areas.cover(NINE, 256);
        for _ in 0..20 {
            let [first, second] = [0, 1].map(|_| cell_at(random_point(&mut random, &corners), NINE));
            let (first, last) = (first.min(second), first.max(second));
            let of_ends = [cover.relate(first, first), cover.relate(last, last)];
            match cover.relate(first, last) {
                Relation::Disjoint => assert_eq!(of_ends, [Relation::Disjoint; 2]),
                Relation::Interior => assert_eq!(of_ends, [Relation::Interior; 2]),
                Relation::Border => {}
            }
            let touched = cover.ranges().iter().any(|range| range.first <= last && first <= range.last);
            assert_eq!(cover.overlaps(first, last), touched);
        }
    }
}

/// Says whether the point lies in an interior range.
fn check_point(areas: &Areas, cover: &CellCover, resolution: Resolution, point: (f64, f64)) -> bool {
    let cell = cell_at(point, resolution);
    let relation = cover.relate(cell, cell);
    let inside = areas.contains(point.0, point.1);
    assert!(!inside || relation != Relation::Disjoint, "not in the cover: {}", describe(areas, point));
    assert!(inside || relation != Relation::Interior, "not inside: {}", describe(areas, point));
    relation == Relation::Interior
}

fn check_shape(cover: &CellCover, resolution: Resolution, ranges_max: usize) {
    assert!(cover.ranges().len() <= ranges_max);
    for pair in cover.ranges().windows(2) {
        assert!(pair[0].last < pair[1].first, "{pair:?}");
        assert!(pair[0].interior != pair[1].interior || !pair[0].touches(&pair[1]), "{pair:?} can be one");
    }
    for range in cover.ranges() {
        let ends = [range.first, range.last].map(|id| CellIndex::try_from(id.cast_unsigned()).unwrap());
        assert!(range.first <= range.last && ends.iter().all(|cell| cell.resolution() == resolution));
    }
}

/// The corners of descendants that go as far as they can into one direction, or wherever they like.
fn check_cap(cell: CellIndex, random: &mut Random) {
    let centre = LatLng::from(cell);
    let cap = Cap { centre, radius_rads: CAP_EDGES * cell.resolution().edge_length_rads() };
    let (rectangle, beyond) = cap.rectangles();
    for direction in 0..8 {
        let mut descendant = cell;
        while let Some(finer) = descendant.resolution().succ().filter(|finer| *finer <= NINE) {
            let children = descendant.children_count(finer);
            let wanted = if direction < 6 { direction + 1 } else { random.below(7) };
            let position = u64::try_from(wanted).unwrap().min(children - 1);
            descendant = descendant.child_at(position, finer).unwrap();
        }
        for corner in descendant.boundary().iter() {
            let edges = centre.distance_rads(*corner) / cell.resolution().edge_length_rads();
            assert!(edges < CAP_EDGES, "{corner} of {descendant} is {edges} edges from {cell}");
            let (latitude, longitude) = (corner.lat(), corner.lng());
            let held = [Some(rectangle), beyond]
                .into_iter()
                .flatten()
                .any(|r| (r.south..=r.north).contains(&latitude) && (r.west..=r.east).contains(&longitude));
            assert!(held, "{corner} of {descendant} is not in the rectangles of {cell}");
        }
    }
}

fn random_point(random: &mut Random, corners: &[(f64, f64)]) -> (f64, f64) {
    let degrees = random.scale(90.0);
    match random.below(4) {
        0 => random.position(),
        1 => {
            let [first, second] = [0, 1].map(|_| random.of(corners));
            (random.between(first.0, second.0), random.between(first.1, second.1))
        }
        _ => {
            let corner = random.of(corners);
            random.near(corner, degrees)
        }
    }
}

fn cells_of(cover: &CellCover) -> (usize, usize) {
    let mut counts = (0, 0);
    for range in cover.ranges() {
        let mut cell = CellIndex::try_from(range.first.cast_unsigned()).unwrap();
        while id(cell) <= range.last {
            counts.0 += 1;
            counts.1 += usize::from(range.interior);
            cell = cell.succ().unwrap();
        }
    }
    counts
}

fn areas_of(bounds: GeoBox) -> Areas {
    Areas::new(vec![Area::Box(bounds)])
}

fn cell_at((latitude, longitude): (f64, f64), resolution: Resolution) -> i64 {
    id(position(latitude, longitude).unwrap().to_cell(resolution))
}

fn id(cell: CellIndex) -> i64 {
    u64::from(cell).cast_signed()
}

fn wrapped(longitude: f64) -> f64 {
    (longitude + 540.0).rem_euclid(360.0) - 180.0
}
