//! Seeded numbers for the tests of this module.

use super::{
    Area, Areas, GeoBox, GeoCircle,
    interval::{Comparison, Intervals},
};

/// SplitMix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// In [0, 1).
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    pub(super) fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// From 10⁻⁷ to `max`, every scale alike.
    pub(super) fn scale(&mut self, max: f64) -> f64 {
        1e-7 * (max / 1e-7).powf(self.unit())
    }

    /// Evenly spread, or where it is awkward.
    pub(super) fn position(&mut self) -> (f64, f64) {
        if self.below(4) > 0 {
            return (self.between(-1.0, 1.0).asin().to_degrees(), self.between(-180.0, 180.0));
        }
        let latitudes = [90.0, -90.0, 0.0, -0.0, 89.999_999, -89.999_9, 64.700_012_79, 10.536_199_07];
        let longitudes = [180.0, -180.0, 0.0, -0.0, 179.999_999_9, -179.999_9, 10.536_199_07, 58.157_705_84];
        (self.of(&latitudes), self.of(&longitudes))
    }

    /// A position about as far from another as told, now and then on one of its axes.
    pub(super) fn near(&mut self, (latitude, longitude): (f64, f64), degrees: f64) -> (f64, f64) {
        let mut shift = |allowed: bool| if allowed { self.between(-degrees, degrees) } else { 0.0 };
        let (north, east) = (shift(true), shift(true));
        let latitude = (latitude + north).clamp(-90.0, 90.0);
        let shrunk = latitude.to_radians().cos().max(1e-3);
        let longitude = longitude + east / shrunk;
        (latitude, (longitude + 540.0).rem_euclid(360.0) - 180.0)
    }
}

/// How much longer than by default the tests run.
pub(super) fn rounds(by_default: usize) -> usize {
    let factor = std::env::var("HEXFLIGHT_GEO_ROUNDS").ok().and_then(|text| text.parse().ok());
    by_default * factor.unwrap_or(1)
}

/// What a position is asked to be: also reads well in a failed test.
pub(super) fn describe(areas: &Areas, position: (f64, f64)) -> String {
    format!("{position:?} in {areas:?}")
}

/// Boxes and circles of every size, one or two together, with points on their borders.
pub(super) fn random_areas(random: &mut Random) -> (Areas, Vec<(f64, f64)>) {
    let mut corners = vec![];
    let mut list = vec![random_area(random, &mut corners)];
    if random.below(3) == 0 {
        let place = random.of(&corners);
        let degrees = random.scale(30.0);
        let circle = GeoCircle::new(place.0, place.1, degrees * 111_194.93).unwrap();
        corners.push(place);
        list.push(Area::Circle(circle));
    }
    (Areas::new(list), corners)
}

fn random_area(random: &mut Random, corners: &mut Vec<(f64, f64)>) -> Area {
    let place = random.position();
    let degrees = random.scale(180.0);
    if random.below(2) == 0 {
        let border = [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)];
        corners.push(place);
        corners.extend(border.map(|(north, east)| {
            let latitude = (place.0 + north * degrees).clamp(-90.0, 90.0);
            (latitude, (place.1 + east * degrees).clamp(-180.0, 180.0))
        }));
        return Area::Circle(GeoCircle::new(place.0, place.1, degrees * 111_194.926_644_558_74).unwrap());
    }
    let other = if random.below(8) == 0 { place } else { random.near(place, degrees) };
    let (south, north) = (place.0.min(other.0), place.0.max(other.0));
    let (west, east) = (place.1, other.1);
    corners.extend([(south, west), (south, east), (north, west), (north, east)]);
    if random.below(2) == 0 {
        return Area::Box(GeoBox::closed(south, north, west, east).unwrap());
    }
    Area::Box(half_open_box(random, [south, north, west, east]))
}

/// Each bound in, out or missing; longitudes between the bounds or beyond them.
fn half_open_box(random: &mut Random, [south, north, west, east]: [f64; 4]) -> GeoBox {
    let mut bound = |comparisons: [Comparison; 2], value: f64| match random.below(5) {
        0 => Intervals::all(),
        1 | 2 => Intervals::satisfying(comparisons[0], value),
        _ => Intervals::satisfying(comparisons[1], value),
    };
    let above = [Comparison::Greater, Comparison::GreaterOrEqual];
    let below = [Comparison::Less, Comparison::LessOrEqual];
    let latitudes = bound(above, south).and(&bound(below, north)).unwrap();
    let (from_west, to_east) = (bound(above, west), bound(below, east));
    let longitudes = if west <= east { from_west.and(&to_east) } else { from_west.or(&to_east) };
    GeoBox::new(latitudes, longitudes.unwrap())
}
