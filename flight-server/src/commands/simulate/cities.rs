//! The cities that simulated devices live in: true coordinates of the centres, and populations as weights.

/// A city.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct City {
    /// Name as it appears in device ids.
    pub name: &'static str,
    /// Degrees north, WGS84.
    pub latitude: f64,
    /// Degrees east, WGS84.
    pub longitude: f64,
    /// Weight: millions of people in the metropolitan area, rounded.
    pub population: f64,
}

const fn city(name: &'static str, latitude: f64, longitude: f64, population: f64) -> City {
    City { name, latitude, longitude, population }
}

/// All of them, from both hemispheres and both sides of the antimeridian.
///
/// **Source**: Wikipedia's coordinates of the city centres; populations of about 2024.
pub const CITIES: [City; 42] = [
    city("tokyo", 35.6897, 139.6922, 37.0),
    city("delhi", 28.6100, 77.2300, 33.0),
    city("shanghai", 31.2286, 121.4747, 29.0),
    city("sao-paulo", -23.5500, -46.6333, 22.8),
    city("mexico-city", 19.4333, -99.1333, 22.5),
    city("cairo", 30.0444, 31.2358, 22.6),
    city("mumbai", 19.0761, 72.8775, 21.7),
    city("beijing", 39.9067, 116.3975, 22.2),
    city("osaka", 34.6939, 135.5022, 18.9),
    city("new-york", 40.7128, -74.0061, 19.5),
    city("karachi", 24.8600, 67.0100, 17.6),
    city("buenos-aires", -34.6033, -58.3817, 15.6),
    city("istanbul", 41.0136, 28.9550, 16.0),
    city("lagos", 6.4550, 3.3841, 16.5),
    city("kinshasa", -4.3250, 15.3222, 17.0),
    city("los-angeles", 34.0500, -118.2500, 12.8),
    city("moscow", 55.7558, 37.6178, 12.7),
    city("paris", 48.8567, 2.3522, 11.3),
    city("jakarta", -6.1750, 106.8275, 11.6),
    city("bangkok", 13.7525, 100.4942, 11.2),
    city("seoul", 37.5600, 126.9900, 10.0),
    city("lima", -12.0600, -77.0375, 11.2),
    city("london", 51.5072, -0.1275, 9.7),
    city("chicago", 41.8819, -87.6278, 9.0),
    city("johannesburg", -26.2044, 28.0456, 6.3),
    city("singapore", 1.2833, 103.8333, 6.0),
    city("sydney", -33.8678, 151.2100, 5.4),
    city("madrid", 40.4169, -3.7033, 6.7),
    city("toronto", 43.6532, -79.3832, 6.4),
    city("berlin", 52.5200, 13.4050, 4.5),
    city("nairobi", -1.2864, 36.8172, 5.5),
    city("rome", 41.8933, 12.4828, 4.3),
    city("san-francisco", 37.7775, -122.4164, 4.6),
    city("seattle", 47.6097, -122.3331, 4.0),
    city("vienna", 48.2083, 16.3725, 2.9),
    city("warsaw", 52.2300, 21.0111, 3.1),
    city("stockholm", 59.3294, 18.0686, 2.4),
    city("auckland", -36.8500, 174.7833, 1.7),
    city("honolulu", 21.3069, -157.8583, 1.0),
    city("anchorage", 61.2181, -149.9003, 0.4),
    city("suva", -18.1416, 178.4419, 0.3),
    city("apia", -13.8333, -171.7667, 0.2),
];
