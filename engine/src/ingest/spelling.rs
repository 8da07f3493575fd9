//! The names that producers may give to columns, and the hint for one that is none of them.

use super::bad_rows::shortened;
use crate::{error::EngineError, schema::column};

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

/// Longer names get no hint: comparing them costs the product of the lengths.
const HINT_CHARS_MAX: usize = 64;

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
    let hint = nearest(name).map_or_else(String::new, |near| format!(", did you mean '{near}'?"));
    let name = shortened(name);
    let separator = if hint.is_empty() { ";" } else { "" };
    EngineError::InvalidBatch(format!(
        "column '{name}' is unknown{hint}{separator} accepted: {}",
        accepted_names()
    ))
}

/// The accepted spelling that is nearest to `name`, if at least half of the name is right.
fn nearest(name: &str) -> Option<&'static str> {
    let name: Vec<char> = name.chars().take(HINT_CHARS_MAX + 1).flat_map(char::to_lowercase).collect();
    if name.len() > HINT_CHARS_MAX {
        return None;
    }
    ACCEPTED
        .iter()
        .flat_map(|(_, spellings)| spellings.iter())
        .map(|spelling| (edit_distance(&name, spelling), *spelling))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| distance * 2 <= name.len())
        .map(|(_, spelling)| spelling)
}

/// Levenshtein distance by the row-at-a-time dynamic programme.
fn edit_distance(name: &[char], spelling: &str) -> usize {
    let mut costs: Vec<usize> = (0..=name.len()).collect();
    for (row, expected) in spelling.chars().enumerate() {
        let mut diagonal = row;
        let mut left = row + 1;
        for (found, cost) in name.iter().zip(costs.iter_mut().skip(1)) {
            let substituted = diagonal + usize::from(*found != expected);
            diagonal = *cost;
            left = substituted.min(diagonal + 1).min(left + 1);
            *cost = left;
        }
        if let Some(first) = costs.first_mut() {
            *first = row + 1;
        }
    }
    costs.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_distance_counts_insertions_deletions_and_substitutions() {
        let distance = |name: &str, spelling| edit_distance(&name.chars().collect::<Vec<_>>(), spelling);
        assert_eq!(distance("", "time"), 4);
        assert_eq!(distance("time", "time"), 0);
        assert_eq!(distance("tim", "time"), 1);
        assert_eq!(distance("timee", "time"), 1);
        assert_eq!(distance("tome", "time"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

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
        assert_eq!(nearest("deviceId"), Some("device_id"));
        assert_eq!(nearest("Time-stamp"), Some("timestamp"));
        assert_eq!(nearest("vlaue"), Some("value"));
        assert_eq!(nearest("colour"), None);
        assert_eq!(nearest(""), None);
        assert_eq!(nearest(&"timestamp".repeat(100)), None);
    }
}
