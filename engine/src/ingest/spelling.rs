//! The names that producers may give to columns, and the hint for one that is none of them.

use super::bad_rows::shortened;
use crate::{
    error::EngineError,
    schema::{column, nearest},
};

/// What an input column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Timestamp,
    DeviceId,
    Type,
    Value,
    Latitude,
    Longitude,
    Location,
    Metadata,
}

/// Every role with its spellings; the first is the table's own name.
const ACCEPTED: [(Role, &[&str]); 8] = [
    (Role::Timestamp, &[column::TIMESTAMP, "ts", "time"]),
    (Role::DeviceId, &[column::DEVICE_ID]),
    (Role::Type, &[column::TYPE, "metric_name"]),
    (Role::Value, &[column::VALUE, "metric_value"]),
    (Role::Latitude, &[column::LATITUDE, "lat"]),
    (Role::Longitude, &[column::LONGITUDE, "lon", "lng"]),
    (Role::Location, &["location"]),
    (Role::Metadata, &[column::METADATA]),
];

impl Role {
    /// Finds what a column of this name is for; letters count alike in either case.
    pub(super) fn of(name: &str) -> Option<Self> {
        let is_so = |spelling: &&str| spelling.eq_ignore_ascii_case(name);
        ACCEPTED.iter().find(|(_, spellings)| spellings.iter().any(is_so)).map(|(role, _)| *role)
    }

    /// The table's own name for it.
    pub(super) fn name(self) -> &'static str {
        self.spellings().first().copied().unwrap_or_default()
    }

    /// All spellings as text: `timestamp (or ts, time)`.
    pub(super) fn described(self) -> String {
        match self.spellings() {
            [name, others @ ..] if !others.is_empty() => format!("{name} (or {})", others.join(", ")),
            _ => self.name().to_owned(),
        }
    }

    fn spellings(self) -> &'static [&'static str] {
        ACCEPTED.iter().find(|(role, _)| *role == self).map_or(&[], |(_, spellings)| *spellings)
    }
}

/// The names a batch may use, for errors.
pub(super) fn accepted_names() -> String {
    ACCEPTED
        .iter()
        .map(|(role, _)| match role {
            Role::Location => "location {latitude, longitude}".to_owned(),
            _ => role.described(),
        })
        .collect::<Vec<_>>()
        .join(", ")
}

/// The error for a column that has none of the accepted names.
pub(super) fn unknown_column(name: &str) -> EngineError {
    let hint = meant(name).map_or_else(String::new, |near| format!(", did you mean '{near}'?"));
    let name = shortened(name);
    let separator = if hint.is_empty() { ";" } else { "" };
    EngineError::InvalidBatch(format!(
        "column '{name}' is unknown{hint}{separator} accepted: {}",
        accepted_names()
    ))
}

/// The accepted spelling that somebody may have meant.
fn meant(name: &str) -> Option<&'static str> {
    nearest(name, ACCEPTED.iter().flat_map(|(_, spellings)| spellings.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        for (name, role) in
            [("LAT", Role::Latitude), ("Device_ID", Role::DeviceId), ("Location", Role::Location)]
        {
            assert_eq!(Role::of(name), Some(role), "{name}");
        }
        assert_eq!(Role::of("DeviceID"), None);
    }

    #[test]
    fn nearest_ignores_case_and_gives_up_on_strangers() {
        assert_eq!(meant("deviceId"), Some("device_id"));
        assert_eq!(meant("Time-stamp"), Some("timestamp"));
        assert_eq!(meant("vlaue"), Some("value"));
        assert_eq!(meant("colour"), None);
        assert_eq!(meant(""), None);
        assert_eq!(meant(&"timestamp".repeat(100)), None);
    }
}
