//! The names that members of an event may have, in any case: the same as for columns of Arrow batches. Keeps which one a row used and
//! which of its letters were capitals, so that an error points to the body as it was sent.

use std::{borrow::Cow, collections::HashMap};

use hexflight_engine::{column, nearest};

/// What a member is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Timestamp,
    DeviceId,
    Type,
    Value,
    Latitude,
    Longitude,
    Metadata,
}

/// Number of roles.
pub(super) const ROLES: usize = 7;

/// Longer names are not looked into. **Units**: bytes.
const NAME_BYTES_MAX: usize = 64;

/// Unknown names of a request that are looked into.
const GUESSES_MAX: usize = 256;

/// Names in a `location`, for hints.
const COORDINATES: &[&str] = &["latitude", "lat", "longitude", "lon", "lng"];

/// All names on the top level of an event, for hints.
const NAMES: [&str; 15] = [
    "timestamp",
    "ts",
    "time",
    "device_id",
    "type",
    "metric_name",
    "value",
    "metric_value",
    "latitude",
    "lat",
    "longitude",
    "lon",
    "lng",
    "location",
    "metadata",
];

impl Role {
    /// The table's own name for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Timestamp => column::TIMESTAMP,
            Self::DeviceId => column::DEVICE_ID,
            Self::Type => column::TYPE,
            Self::Value => column::VALUE,
            Self::Latitude => column::LATITUDE,
            Self::Longitude => column::LONGITUDE,
            Self::Metadata => column::METADATA,
        }
    }

    /// The role of a column of the table.
    pub(super) fn of_column(name: &str) -> Option<Self> {
        let roles = [
            Self::Timestamp,
            Self::DeviceId,
            Self::Type,
            Self::Value,
            Self::Latitude,
            Self::Longitude,
            Self::Metadata,
        ];
        roles.into_iter().find(|role| role.name() == name)
    }
}

/// Where a row has its value from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Spelling {
    #[default]
    Absent,
    Timestamp,
    Ts,
    Time,
    DeviceId,
    Type,
    MetricName,
    Value,
    MetricValue,
    Latitude,
    Lat,
    Longitude,
    Lon,
    Lng,
    Metadata,
    LocationLatitude,
    LocationLat,
    LocationLongitude,
    LocationLon,
    LocationLng,
    CloudTime,
    CloudSubject,
    CloudType,
}

impl Spelling {
    /// The member of an event with this name; `location` is none, it has members of its own.
    pub(super) fn of_member(name: &str) -> Option<(Role, Self)> {
        Some(match &*in_small(name) {
            "timestamp" => (Role::Timestamp, Self::Timestamp),
            "ts" => (Role::Timestamp, Self::Ts),
            "time" => (Role::Timestamp, Self::Time),
            "device_id" => (Role::DeviceId, Self::DeviceId),
            "type" => (Role::Type, Self::Type),
            "metric_name" => (Role::Type, Self::MetricName),
            "value" => (Role::Value, Self::Value),
            "metric_value" => (Role::Value, Self::MetricValue),
            "latitude" => (Role::Latitude, Self::Latitude),
            "lat" => (Role::Latitude, Self::Lat),
            "longitude" => (Role::Longitude, Self::Longitude),
            "lon" => (Role::Longitude, Self::Lon),
            "lng" => (Role::Longitude, Self::Lng),
            "metadata" => (Role::Metadata, Self::Metadata),
            _ => return None,
        })
    }

    /// The member of a `location` with this name.
    pub(super) fn of_location(name: &str) -> Option<(Role, Self)> {
        Some(match &*in_small(name) {
            "latitude" => (Role::Latitude, Self::LocationLatitude),
            "lat" => (Role::Latitude, Self::LocationLat),
            "longitude" => (Role::Longitude, Self::LocationLongitude),
            "lon" => (Role::Longitude, Self::LocationLon),
            "lng" => (Role::Longitude, Self::LocationLng),
            _ => return None,
        })
    }

    /// Path from the event, or for an attribute of a CloudEvent from that; empty if the row has none.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Absent => "",
            Self::Timestamp => "timestamp",
            Self::Ts => "ts",
            Self::Time | Self::CloudTime => "time",
            Self::DeviceId => "device_id",
            Self::Type | Self::CloudType => "type",
            Self::MetricName => "metric_name",
            Self::Value => "value",
            Self::MetricValue => "metric_value",
            Self::Latitude => "latitude",
            Self::Lat => "lat",
            Self::Longitude => "longitude",
            Self::Lon => "lon",
            Self::Lng => "lng",
            Self::Metadata => "metadata",
            Self::LocationLatitude => "location/latitude",
            Self::LocationLat => "location/lat",
            Self::LocationLongitude => "location/longitude",
            Self::LocationLon => "location/lon",
            Self::LocationLng => "location/lng",
            Self::CloudSubject => "subject",
        }
    }

    /// Whether the value is an attribute of the CloudEvent around the event.
    pub(super) fn is_attribute(self) -> bool {
        matches!(self, Self::CloudTime | Self::CloudSubject | Self::CloudType)
    }

    /// Whether the value is a member of `location`.
    pub(super) fn is_in_location(self) -> bool {
        self.path().starts_with(LOCATION)
    }
}

/// The same name in small letters. Names mean the same in either case, as for columns of batches and imports.
fn in_small(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// Which bytes of a path were sent as capitals; the lowest bit is the first byte. No path is longer than 32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Capitals(u32);

impl Capitals {
    /// Those of a name.
    pub(super) fn of(name: &str) -> Self {
        let bits = name.bytes().take(32).enumerate();
        Self(bits.fold(0, |bits, (place, byte)| bits | u32::from(byte.is_ascii_uppercase()) << place))
    }

    /// Those of a name behind `location/`, whose own are `self`.
    pub(super) fn before(self, name: &str) -> Self {
        Self(self.0 | Self::of(name).0 << LOCATION.len())
    }

    /// A path as it was sent.
    pub(super) fn written(self, path: &'static str) -> Cow<'static, str> {
        if self.0 == 0 {
            return Cow::Borrowed(path);
        }
        let is_capital = |place: usize| u32::try_from(place).is_ok_and(|place| self.0 >> place & 1 == 1);
        let letters = path.char_indices();
        Cow::Owned(
            letters
                .map(|(at, letter)| if is_capital(at) { letter.to_ascii_uppercase() } else { letter })
                .collect(),
        )
    }
}

/// What a path to a coordinate in a `location` begins with.
const LOCATION: &str = "location/";

/// The rule that an unknown member of an event breaks.
pub(super) fn unknown_field(name: &str) -> String {
    match &*in_small(name) {
        "h3" => "is derived from latitude and longitude; leave it out".to_owned(),
        "specversion" => {
            "is no field of an event; send CloudEvents as application/cloudevents+json".to_owned()
        }
        _ => unknown(name, &NAMES),
    }
}

/// The rule that an unknown member of a `location` breaks.
pub(super) fn unknown_coordinate(name: &str) -> String {
    unknown(name, COORDINATES)
}

fn unknown(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(meant) => format!("is no field here; did you mean `{meant}`?"),
        None => format!("is no field here; those are {}", known.join(", ")),
    }
}

/// What unknown names were probably meant for. Senders repeat their mistakes: each is looked into once, and there is a limit to how many are.
#[derive(Debug, Default)]
pub(super) struct Guesses(HashMap<String, Option<Role>>);

impl Guesses {
    /// The role of the nearest name, if there is a near one.
    pub(super) fn role(&mut self, name: &str) -> Option<Role> {
        if let Some(guess) = self.0.get(name) {
            return *guess;
        }
        if name.len() > NAME_BYTES_MAX || self.0.len() >= GUESSES_MAX {
            return None;
        }
        let guess = nearest(name, NAMES).and_then(Spelling::of_member).map(|(role, _)| role);
        self.0.insert(name.to_owned(), guess);
        guess
    }
}
