//! `ColumnRole`: what the columns of events are for, and every name under which batches, files and JSON may have them.

use super::column;

/// What a column that a producer fills is for; `h3` is derived and not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ColumnRole {
    /// When it happened.
    Timestamp,
    /// Who measured.
    DeviceId,
    /// What was measured.
    Type,
    /// The measured value.
    Value,
    /// **Units**: degrees, WGS84.
    Latitude,
    /// **Units**: degrees, WGS84.
    Longitude,
    /// A JSON object.
    Metadata,
}

/// The name of a whole position, with a latitude and a longitude in it.
pub const LOCATION: &str = "location";

impl ColumnRole {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 7] = [
        Self::Timestamp,
        Self::DeviceId,
        Self::Type,
        Self::Value,
        Self::Latitude,
        Self::Longitude,
        Self::Metadata,
    ];

    /// The names that it may come under; the first is the table's own.
    #[must_use]
    pub fn spellings(self) -> &'static [&'static str] {
        match self {
            Self::Timestamp => &[column::TIMESTAMP, "ts", "time"],
            Self::DeviceId => &[column::DEVICE_ID],
            Self::Type => &[column::TYPE, "metric_name"],
            Self::Value => &[column::VALUE, "metric_value"],
            Self::Latitude => &[column::LATITUDE, "lat"],
            Self::Longitude => &[column::LONGITUDE, "lon", "lng"],
            Self::Metadata => &[column::METADATA],
        }
    }

    /// The table's own name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.spellings()[0]
    }

    /// What a column of this name is for; letters count alike in either case.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::spelled(name).map(|(role, _)| role)
    }

    /// As [`Self::of`], with the place of the name among the spellings.
    #[must_use]
    pub fn spelled(name: &str) -> Option<(Self, usize)> {
        let of_role = |role: Self| {
            let mut spellings = role.spellings().iter();
            Some((role, spellings.position(|spelling| spelling.eq_ignore_ascii_case(name))?))
        };
        Self::ALL.into_iter().find_map(of_role)
    }

    /// All spellings as text: `timestamp (or ts, time)`.
    #[must_use]
    pub fn described(self) -> String {
        match self.spellings() {
            [name, others @ ..] if !others.is_empty() => format!("{name} (or {})", others.join(", ")),
            _ => self.name().to_owned(),
        }
    }

    /// Whether every event has it.
    #[must_use]
    pub fn is_required(self) -> bool {
        matches!(self, Self::Timestamp | Self::DeviceId | Self::Type | Self::Value)
    }

    /// Whether it is half of a position.
    #[must_use]
    pub fn is_half(self) -> bool {
        matches!(self, Self::Latitude | Self::Longitude)
    }

    /// Whether its values are text.
    #[must_use]
    pub fn is_text(self) -> bool {
        matches!(self, Self::DeviceId | Self::Type | Self::Metadata)
    }
}

/// Every name that a column may come under, [`LOCATION`] included, in the order of the table.
pub fn event_names() -> impl Iterator<Item = &'static str> + Clone {
    ColumnRole::ALL.into_iter().flat_map(|role| {
        let location = (role == ColumnRole::Metadata).then_some(LOCATION);
        location.into_iter().chain(role.spellings().iter().copied())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        for (name, role) in [("LAT", ColumnRole::Latitude), ("Device_ID", ColumnRole::DeviceId)] {
            assert_eq!(ColumnRole::of(name), Some(role), "{name}");
        }
        for role in ColumnRole::ALL {
            for (place, spelling) in role.spellings().iter().enumerate() {
                assert_eq!(ColumnRole::spelled(&spelling.to_uppercase()), Some((role, place)));
            }
        }
        assert_eq!(ColumnRole::of("DeviceID"), None);
        assert_eq!(ColumnRole::of(LOCATION), None);
    }

    #[test]
    fn roles_stand_in_the_order_of_the_table_and_of_their_numbers() {
        let names: Vec<&str> = ColumnRole::ALL.into_iter().map(ColumnRole::name).collect();
        let spec = crate::TableSpec::events();
        let columns = spec.query_schema().fields().iter().map(|field| field.name().as_str());
        assert_eq!(names, columns.filter(|name| *name != column::H3).collect::<Vec<_>>());
        assert!(ColumnRole::ALL.iter().enumerate().all(|(number, role)| *role as usize == number));
    }
}
