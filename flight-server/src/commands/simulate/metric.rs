//! `Metric`: what a simulated device measures, and values that look like it.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use super::fleet::{Climate, Device};

/// A type of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    /// Degrees Celsius, by latitude, season and time of day.
    Temperature,
    /// Relative humidity, 0 to 100 %.
    Humidity,
    /// Air pressure in hPa.
    Pressure,
    /// Charge, 0 to 100 %.
    Battery,
    /// km/h; 0 for a device that stands.
    Speed,
    /// Carbon dioxide in ppm.
    Co2,
    /// Vibration velocity in mm/s.
    Vibration,
    /// Sound level in dB.
    Noise,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 8] = [
        Self::Temperature,
        Self::Humidity,
        Self::Pressure,
        Self::Battery,
        Self::Speed,
        Self::Co2,
        Self::Vibration,
        Self::Noise,
    ];

    /// Its value in column `type`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Temperature => "temperature",
            Self::Humidity => "humidity",
            Self::Pressure => "pressure",
            Self::Battery => "battery",
            Self::Speed => "speed",
            Self::Co2 => "co2",
            Self::Vibration => "vibration",
            Self::Noise => "noise",
        }
    }

    /// Finds a metric by its name; `None` if there is none.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// How often it is measured, relative to the others.
    pub(super) fn weight(self) -> usize {
        match self {
            Self::Temperature => 4,
            Self::Humidity => 3,
            Self::Pressure | Self::Speed | Self::Co2 | Self::Vibration => 2,
            Self::Battery | Self::Noise => 1,
        }
    }

    /// One measurement of `device` in the weather of its city.
    pub(super) fn measure(self, device: &Device, climate: &Climate, rng: &mut impl Rng) -> f64 {
        let noise: f64 = rng.sample(StandardNormal);
        let bias = device.bias;
        match self {
            Self::Temperature => round_to(climate.temperature + 1.5 * bias + 0.3 * noise, 10.0),
            Self::Humidity => round_to((climate.humidity + 6.0 * bias + 2.5 * noise).clamp(0.0, 100.0), 10.0),
            Self::Pressure => round_to(1_013.2 + 4.0 * bias + 0.6 * noise, 10.0),
            Self::Battery => round_to((device.charge + noise).clamp(0.0, 100.0), 1.0),
            Self::Speed if device.moves => round_to((28.0 + 14.0 * noise).clamp(0.0, 130.0), 10.0),
            Self::Speed => 0.0,
            Self::Co2 => round_to(410.0 + 130.0 * (0.5 * bias + 0.25 * noise).exp(), 1.0),
            Self::Vibration => round_to(0.8 * (0.5 * bias + 0.4 * noise).exp(), 100.0),
            Self::Noise => round_to((52.0 + 6.0 * bias + 4.0 * noise).clamp(20.0, 130.0), 10.0),
        }
    }
}

/// Rounds to `1 / scale`, as a sensor with that resolution would. Never returns −0.0.
fn round_to(value: f64, scale: f64) -> f64 {
    (value * scale).round() / scale + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_again() {
        for metric in Metric::ALL {
            assert_eq!(Metric::parse(metric.name()), Some(metric));
        }
        assert_eq!(Metric::parse("temprature"), None);
    }

    #[test]
    fn values_have_the_sensors_resolution() {
        assert_eq!(round_to(21.3456, 10.0), 21.3);
        assert_eq!(round_to(412.6, 1.0), 413.0);
        assert!(round_to(-0.01, 10.0).is_sign_positive());
    }
}
