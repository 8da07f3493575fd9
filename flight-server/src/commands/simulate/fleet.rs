//! `Fleet`: the simulated devices, made once from a seed and shared by all connections, and the weather of their cities.

use std::f64::consts::TAU;

use rand::{Rng, RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use rand_distr::{Distribution, StandardNormal, weighted::WeightedIndex};

use super::{WorkloadConfig, cities::CITIES};

/// Standard deviation of a device's distance from the centre of its city. **Units**: degrees of latitude, about 4.4 km.
const SPREAD_DEGREES: f64 = 0.04;

/// Nobody lives farther from the centre than this. **Units**: degrees of latitude, about 16.7 km.
pub(super) const CITY_RADIUS_DEGREES: f64 = 0.15;

/// Firmware versions in the field.
pub(super) const FIRMWARES: [&str; 6] = ["1.2.0", "1.3.5", "1.4.0", "1.4.1", "1.4.2", "2.0.0-rc1"];

const HOUR_MICROS: f64 = 3_600e6;
const DAY_HOURS: f64 = 24.0;
const YEAR_HOURS: f64 = 365.2425 * 24.0;

/// A position with six decimals, about 0.1 m: kept as whole micro-degrees, so that it is the same number every time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Latitude in millionths of a degree.
    pub latitude_e6: i32,
    /// Longitude in millionths of a degree.
    pub longitude_e6: i32,
}

/// A simulated device. Its index in the fleet is its rank of popularity.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Its value in column `device_id`.
    pub id: Box<str>,
    /// Index into [`CITIES`].
    pub city_index: usize,
    /// Where it stands, or starts from.
    pub home: Position,
    /// Whether it drives around.
    pub moves: bool,
    /// How its sensors differ from the others, in standard deviations.
    pub bias: f64,
    /// Its battery's charge in percent.
    pub charge: f64,
    /// Index into the list of firmware versions.
    pub(super) firmware_index: usize,
}

/// All devices of a simulation.
#[derive(Debug, Clone, PartialEq)]
pub struct Fleet {
    devices: Vec<Device>,
}

/// The weather of one city at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Climate {
    /// Degrees Celsius.
    pub(super) temperature: f64,
    /// Percent.
    pub(super) humidity: f64,
}

impl Position {
    /// Degrees north; the number that six decimals spell.
    #[must_use]
    pub fn latitude(self) -> f64 {
        f64::from(self.latitude_e6) / 1e6
    }

    /// Degrees east.
    #[must_use]
    pub fn longitude(self) -> f64 {
        f64::from(self.longitude_e6) / 1e6
    }
}

impl Fleet {
    /// Makes the devices of `config`; the same seed makes the same devices.
    #[must_use]
    pub fn new(config: &WorkloadConfig) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(config.seed);
        // The weights are constants and positive.
        let cities = WeightedIndex::new(CITIES.iter().map(|city| city.population)).ok();
        let devices = (0..config.device_count)
            .map(|rank| {
                let city_index = cities.as_ref().map_or(0, |cities| cities.sample(&mut rng));
                device(rank, city_index, config.moving_share, &mut rng)
            })
            .collect();
        Self { devices }
    }

    /// The devices, most popular first.
    #[must_use]
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }
}

impl Climate {
    /// The weather in every city at `micros` since 1970.
    pub(super) fn everywhere(micros: i64) -> Vec<Self> {
        CITIES.iter().map(|city| Self::at(city.latitude, city.longitude, micros)).collect()
    }

    /// Warm at the equator, in summer and in the afternoon; humid when it is cool.
    fn at(latitude: f64, longitude: f64, micros: i64) -> Self {
        let hours = micros as f64 / HOUR_MICROS;
        let from_equator = latitude.abs();
        let season = (TAU * (hours / YEAR_HOURS - 0.55)).cos() * latitude.signum();
        let afternoon = (TAU * ((hours + longitude / 15.0) / DAY_HOURS - 15.0 / 24.0)).cos();
        let temperature =
            27.0 - 0.006 * from_equator * from_equator + 0.22 * from_equator * season + 4.0 * afternoon;
        let humidity = 66.0 - 12.0 * afternoon + 5.0 * season;
        Self { temperature, humidity }
    }
}

fn device(rank: usize, city_index: usize, moving_share: f64, rng: &mut impl Rng) -> Device {
    let city = &CITIES[city_index];
    let mut offset = || {
        let z: f64 = rng.sample(StandardNormal);
        (SPREAD_DEGREES * z).clamp(-CITY_RADIUS_DEGREES, CITY_RADIUS_DEGREES)
    };
    let latitude = city.latitude + offset();
    let longitude = wrap_degrees(city.longitude + offset() / city.latitude.to_radians().cos());
    Device {
        id: format!("{}-{rank:05}", city.name).into_boxed_str(),
        city_index,
        home: Position { latitude_e6: to_e6(latitude), longitude_e6: to_e6(longitude) },
        moves: rng.random_bool(moving_share),
        bias: rng.sample(StandardNormal),
        charge: rng.random_range(20.0..100.0),
        firmware_index: rng.random_range(0..FIRMWARES.len()),
    }
}

fn wrap_degrees(longitude: f64) -> f64 {
    if longitude > 180.0 {
        longitude - 360.0
    } else if longitude < -180.0 {
        longitude + 360.0
    } else {
        longitude
    }
}

#[expect(clippy::cast_possible_truncation, reason = "±180e6 fits i32, and rounding is the purpose")]
pub(super) fn to_e6(degrees: f64) -> i32 {
    (degrees * 1e6).round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_makes_same_fleet() {
        let config = WorkloadConfig { device_count: 500, ..WorkloadConfig::default() };
        let other_seed = WorkloadConfig { seed: 43, ..config.clone() };

        assert_eq!(Fleet::new(&config), Fleet::new(&config));
        assert_ne!(Fleet::new(&config), Fleet::new(&other_seed));
    }

    #[test]
    fn devices_live_in_their_city() {
        let config = WorkloadConfig { device_count: 2_000, ..WorkloadConfig::default() };
        for device in Fleet::new(&config).devices() {
            let city = &CITIES[device.city_index];
            assert!(device.id.starts_with(city.name));
            assert!((device.home.latitude() - city.latitude).abs() <= CITY_RADIUS_DEGREES + 1e-6);
            assert!((-180.0..=180.0).contains(&device.home.longitude()));
        }
    }

    #[test]
    fn weather_follows_latitude_and_season() {
        const JULY_2025: i64 = 1_752_537_600_000_000;
        let berlin = Climate::at(52.5, 13.4, JULY_2025);
        let singapore = Climate::at(1.3, 103.8, JULY_2025 + 6 * 3_600_000_000);
        let sydney = Climate::at(-33.9, 151.2, JULY_2025);

        assert!((10.0..30.0).contains(&berlin.temperature), "{berlin:?}");
        assert!((22.0..32.0).contains(&singapore.temperature), "{singapore:?}");
        assert!(sydney.temperature < singapore.temperature, "{sydney:?}");
    }
}
