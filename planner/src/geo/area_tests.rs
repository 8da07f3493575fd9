//! Areas against the plain arithmetic they stand for.

use super::{
    Area, Areas, GeoBox, GeoCircle, Rectangle, Relation,
    interval::{Comparison, Intervals},
    position,
    random::{Random, describe, random_areas, rounds},
    rectangle::Cap,
};

#[test]
fn intervals_are_what_their_comparisons_say() {
    let tiny = f64::from_bits(1);
    let ends = [tiny, -tiny, f64::MAX, f64::MIN, f64::INFINITY, f64::NEG_INFINITY];
    let values = [-0.0, 0.0, 1.0, 1.0 + f64::EPSILON, 5.0, -5.0, 90.0, -90.0];
    let values: Vec<f64> = values.into_iter().chain(ends).collect();
    let mut random = Random(1);
    for _ in 0..rounds(3_000) {
        let mut known = Intervals::all();
        let mut naive: Vec<Box<dyn Fn(f64) -> bool>> = vec![];
        for _ in 0..1 + random.below(4) {
            let (first, test) = comparison(&mut random, &values);
            let (second, other) = comparison(&mut random, &values);
            if random.below(2) == 0 {
                known = known.and(&first.or(&second).unwrap()).unwrap();
                naive.push(Box::new(move |value| test(value) || other(value)));
            } else {
                known = known.and(&first).unwrap();
                naive.push(test);
            }
        }
        for value in values.iter().copied().chain([0.5, 1.0 - f64::EPSILON, -1.0]) {
            assert_eq!(known.contains(value), naive.iter().all(|test| test(value)), "{value} in {known:?}");
            if let Some((first, last)) = known.span() {
                assert_eq!(first <= value && value <= last, known.contains(value), "{value} in {known:?}");
            }
        }
    }
}

#[test]
fn what_is_not_a_number_bounds_no_span() {
    for nan in [f64::NAN, -f64::NAN] {
        for comparison in
            [Comparison::Less, Comparison::LessOrEqual, Comparison::GreaterOrEqual, Comparison::Greater]
        {
            assert_eq!(Intervals::satisfying(comparison, nan).span(), None);
        }
    }
}

#[test]
fn the_whole_world_is_known_to_be_it() {
    let relation = |list: Vec<Area>| {
        let areas = Areas::new(list);
        let far_north = Rectangle { south: 80.0, north: 90.0, west: -180.0, east: 180.0 };
        (areas.relate(&far_north), areas.contains(90.0, 180.0))
    };
    let everywhere = || Area::Box(GeoBox::new(Intervals::all(), Intervals::all()));
    let globe = Area::Box(GeoBox::closed(-90.0, 90.0, -180.0, 180.0).unwrap());
    let all_round = Area::Circle(GeoCircle::new(10.0, 20.0, 2.1e7).unwrap());
    let northless = Area::Box(GeoBox::closed(-90.0, 89.9, -180.0, 180.0).unwrap());
    assert_eq!(relation(vec![everywhere()]), (Relation::Interior, true));
    assert_eq!(relation(vec![globe, all_round]), (Relation::Interior, true));
    assert_eq!(relation(vec![everywhere(), northless]), (Relation::Border, false));
}

#[test]
fn too_many_intervals_are_not_understood() {
    let mut known = Intervals::satisfying(Comparison::Equal, 0.0);
    for value in 1..64 {
        known = known.or(&Intervals::satisfying(Comparison::Equal, f64::from(value))).unwrap();
    }
    assert!(known.or(&Intervals::satisfying(Comparison::Equal, 64.0)).is_none());
    assert!(known.or(&Intervals::satisfying(Comparison::LessOrEqual, 64.0)).is_some());
}

#[test]
fn a_closed_box_takes_in_both_zeros_and_nothing_beyond_the_globe() {
    let around_zero = GeoBox::closed(0.0, 1.0, -1.0, -0.0).unwrap();
    assert!(around_zero.contains(-0.0, 0.0) && around_zero.contains(0.0, -0.0));
    let across = GeoBox::closed(-90.0, 90.0, 170.0, -170.0).unwrap();
    assert!(across.contains(90.0, 180.0) && across.contains(-90.0, -180.0) && across.contains(0.0, 170.0));
    for longitude in [0.0, 169.999, 200.0, -200.0, f64::NAN, f64::INFINITY] {
        assert!(!across.contains(0.0, longitude), "{longitude}");
    }
    assert!(GeoBox::closed(1.0, 0.0, 0.0, 1.0).is_err());
    assert!(GeoBox::closed(0.0, 1.0, f64::NAN, 1.0).is_err());
}

#[test]
fn relations_to_rectangles_are_proofs() {
    let mut random = Random(2);
    let (mut seen, mut rectangles) = ([0; 3], 0);
    for _ in 0..rounds(4_000) {
        let areas = random_areas(&mut random);
        let rectangle = random_rectangle(&mut random, &areas.1);
        let relation = areas.0.relate(&rectangle);
        seen[relation as usize] += 1;
        for point in points_of(&rectangle, &mut random) {
            let inside = areas.0.contains(point.0, point.1);
            let wrong =
                matches!((relation, inside), (Relation::Disjoint, true) | (Relation::Interior, false));
            assert!(!wrong, "{relation:?} {rectangle:?}: {}", describe(&areas.0, point));
            if let Some(same) = areas.0.rectangle() {
                rectangles += 1;
                assert_eq!(
                    same.contains(point.0, point.1),
                    inside,
                    "{same:?}: {}",
                    describe(&areas.0, point)
                );
            }
        }
    }
    assert!(rectangles > 1_000, "{rectangles} points asked of boxes that are rectangles");
    assert!(seen.iter().all(|count| *count > 50), "every relation is tested: {seen:?}");
}

#[test]
fn a_circles_rectangles_hold_it() {
    let mut random = Random(3);
    for _ in 0..rounds(20_000) {
        let centre = random.position();
        let degrees = random.scale(180.0);
        let circle = GeoCircle::new(centre.0, centre.1, degrees * 111_194.93).unwrap();
        let point = random.near(centre, degrees * 1.2);
        let (first, second) = circle.rectangles();
        let inside =
            |r: Rectangle| r.south <= point.0 && point.0 <= r.north && r.west <= point.1 && point.1 <= r.east;
        let held = inside(first) || second.is_some_and(inside);
        let place = position(point.0, point.1).unwrap();
        assert!(held || !circle.contains(place), "{point:?} in {circle:?}");
    }
}

#[test]
fn a_caps_rectangles_are_no_larger_than_they_need_to_be() {
    let cap = |latitude, longitude| Cap {
        centre: position(latitude, longitude).unwrap(),
        radius_rads: 1_f64.to_radians(),
    };
    let (rectangle, beyond) = cap(60.0, 10.0).rectangles();
    assert!((rectangle.south - 59.0).abs() < 1e-4 && (rectangle.north - 61.0).abs() < 1e-4, "{rectangle:?}");
    assert!((rectangle.east - 12.0).abs() < 1e-2 && beyond.is_none(), "{rectangle:?}");
    let (rectangle, beyond) = cap(0.0, 179.5).rectangles();
    assert!((rectangle.west - 178.5).abs() < 1e-3 && rectangle.east == 180.0, "{rectangle:?}");
    assert!((beyond.unwrap().east + 179.5).abs() < 1e-3, "{beyond:?}");
    let (rectangle, beyond) = cap(89.5, 0.0).rectangles();
    assert_eq!((rectangle.north, rectangle.west, rectangle.east, beyond), (90.0, -180.0, 180.0, None));
}

#[test]
fn the_antipode_is_as_far_as_it_gets() {
    let mut random = Random(4);
    for _ in 0..rounds(5_000) {
        let (latitude, longitude) = random.position();
        let antipode = (-latitude, if longitude > 0.0 { longitude - 180.0 } else { longitude + 180.0 });
        let areas = Areas::new(vec![Area::Circle(GeoCircle::new(latitude, longitude, 2.1e7).unwrap())]);
        assert!(areas.contains(antipode.0, antipode.1), "{latitude}, {longitude}");
        let small = GeoCircle::new(latitude, longitude, 1.9e7).unwrap();
        assert!(!small.contains(position(antipode.0, antipode.1).unwrap()), "{latitude}, {longitude}");
    }
}

/// A random comparison, and the same as DataFusion computes it.
fn comparison(random: &mut Random, values: &[f64]) -> (Intervals, Box<dyn Fn(f64) -> bool>) {
    let bound = random.of(values);
    type Test = Box<dyn Fn(f64) -> bool>;
    let (comparison, test): (_, Test) = match random.below(6) {
        0 => (Comparison::Less, Box::new(move |value| value < bound)),
        1 => (Comparison::LessOrEqual, Box::new(move |value| value <= bound)),
        2 => (Comparison::Equal, Box::new(move |value| value == bound)),
        3 => (Comparison::NotEqual, Box::new(move |value| value != bound)),
        4 => (Comparison::GreaterOrEqual, Box::new(move |value| value >= bound)),
        _ => (Comparison::Greater, Box::new(move |value| value > bound)),
    };
    (Intervals::satisfying(comparison, bound), test)
}

/// Often one that shares a border with an area.
fn random_rectangle(random: &mut Random, corners: &[(f64, f64)]) -> Rectangle {
    let first = if random.below(2) == 0 { random.of(corners) } else { random.position() };
    let scale = random.scale(180.0);
    let second = match random.below(3) {
        0 => random.of(corners),
        1 => random.near(first, scale),
        _ => random.position(),
    };
    Rectangle {
        south: first.0.min(second.0),
        north: first.0.max(second.0),
        west: first.1.min(second.1),
        east: first.1.max(second.1),
    }
}

/// Corners and points between, never outside by rounding.
fn points_of(rectangle: &Rectangle, random: &mut Random) -> Vec<(f64, f64)> {
    let Rectangle { south, north, west, east } = *rectangle;
    let mut points = vec![(south, west), (south, east), (north, west), (north, east)];
    for _ in 0..12 {
        let latitude = random.between(south, north).clamp(south, north);
        let longitude = random.between(west, east).clamp(west, east);
        points.extend([(latitude, longitude), (south, longitude), (north, longitude), (latitude, east)]);
    }
    points
}
